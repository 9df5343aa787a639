"""A TCP proxy that a test can cut or freeze: the server behind it goes away for one client and stays for the test."""

from __future__ import annotations

import contextlib
import ctypes
import selectors
import socket
import struct
import threading

from django.db import connection

from tests.servers import find_free_port
from tests.site import Site, postgres_host

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
_DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0


class Proxy:
    """Forwards 127.0.0.1:`port` to PostgreSQL at `host` (or the folder of its socket) while it is up."""

    def __init__(self, host: str, target: int = 5432) -> None:
        self._host, self._target = host, target
        self.port = find_free_port()
        self._listener: socket.socket | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()

    def freeze(self) -> None:
        """The path carries nothing any more: what clients send is not even acknowledged, new connections neither."""
        self._flows.clear()
        program = struct.pack("HL", 1, ctypes.addressof(_DROP_ALL))
        for end in self._client_ends():
            end.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def stall(self) -> None:
        """The proxy itself hangs: what clients send is acknowledged, and never answered."""
        self._flows.clear()

    def thaw(self) -> None:
        for end in self._client_ends():
            with contextlib.suppress(OSError):  # accepted since, or closed
                end.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        self._flows.set()

    def _client_ends(self) -> list[socket.socket]:
        with self._lock:
            ends = [client for client, _server in self._pairs if client.fileno() >= 0]
        return [*ends, self._listener] if self._listener else ends

    def restore(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Every connection breaks, and new ones are refused."""
        if self._listener:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            for pair in self._pairs:
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
            self._pairs.clear()

    def _connect(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._target))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._host}/.s.PGSQL.{self._target}")
        return server

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = self._connect()
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._pump, args=(client, server), daemon=True).start()

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with selectors.DefaultSelector() as selector, client, server:
            for end in other:
                selector.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    try:
                        data = end.recv(65_536)
                        self._flows.wait()
                        if not data:
                            return
                        other[end].sendall(data)
                    except OSError:
                        return

    def __enter__(self) -> Proxy:
        self.restore()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()


def proxied(site: Site) -> Proxy:
    """Lead what `site` starts to its database through a proxy."""
    settings = connection.settings_dict
    proxy = Proxy(postgres_host(), int(settings["PORT"] or 5432))
    place = f"{settings['USER']}:{settings['PASSWORD']}@127.0.0.1:{proxy.port}/{settings['NAME']}"
    site.env["DATABASE_URL"] = f"postgresql://{place}"
    return proxy
