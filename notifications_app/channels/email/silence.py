"""A server that waits for TLS says nothing to a client that waits for its greeting: this tells the two apart."""

from __future__ import annotations

import smtplib
import socket
import ssl
from typing import Any

from notifications_app.errors import ConfigurationError

GREETING_S = 2.0
"""How long a greeting usually takes at most; a server that greets later is still waited for."""
SMTP_PORT = 25
"""Mail exchangers listen here, never with TLS first, and some hold back their greeting to catch early talkers."""


class PlainSmtp(smtplib.SMTP):
    """Raises ConfigurationError for a server that is silent and accepts a TLS handshake."""

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        wire: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        wait_s = min(GREETING_S, timeout / 4)
        if port != SMTP_PORT and _is_silent(wire, wait_s) and speaks_tls(host, port, wait_s):
            wire.close()
            text = f"The server on port {port} of {host} seems to speak TLS from the first byte: set EMAIL_USE_TLS=ssl"
            raise ConfigurationError(text)
        wire.settimeout(timeout)
        return wire


def _is_silent(wire: socket.socket, wait_s: float) -> bool:
    wire.settimeout(wait_s)
    try:
        wire.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    except OSError:  # told by who reads next
        return False
    return False


def speaks_tls(host: str, port: int, timeout_s: float) -> bool:
    """Whether the server answers a TLS handshake on a new connection. Nothing is verified, as nothing is sent."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout_s) as wire:
            context.wrap_socket(wire, server_hostname=host).close()
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # it refused the handshake, in the language of TLS
    except OSError:
        return False
    return True
