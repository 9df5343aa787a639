"""The address of the pages: taken before anything else is done, kept while the web process is started again."""

from __future__ import annotations

import errno
import http.client
import socket
from urllib.parse import urlsplit

from project.supervisor.errors import StartError

ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
BACKLOG = 128


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that child processes can inherit.

    It stays open here when the web process dies, so that requests wait for its successor instead of being refused.
    Raises StartError.
    """
    if not 0 < port < 65536:
        raise StartError(f"--port {port} is no port: use 1 to 65535.")
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise StartError(
            f"--host {host} is no address of this machine: {error.strerror}."
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(_why(error, host, port)) from error
    listener.set_inheritable(True)
    return listener


def site_url(host: str, port: int) -> str:
    """The address for a person on this machine."""
    name = "localhost" if host in (*ANYWHERE, "127.0.0.1", "::1") else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


def of_this_start(url: str, host: str, port: int) -> str:
    """`url`, the site's address in `.env`, with the port of this start where it names this machine itself."""
    parts = urlsplit(url)
    if parts.hostname != "localhost" or parts.port in (None, port):
        return url
    return site_url(host, port).rstrip("/") + parts.path


def answers(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Whether the web process answers a request, whatever it says."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    connection = http.client.HTTPConnection(target, port, timeout=timeout_s)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        other = f"scripts/run --port {port % 65535 + 1}"
        return (
            f"Port {port} is taken, perhaps by a Vigil that already runs. On another port: {other}"
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights. Start on another one: scripts/run --port 8000"
    return f"Cannot listen on {host} port {port}: {error.strerror}."
