"""The least SMTP server that clients accept, so that it is not what is measured: `... mail_server [--mute]`.

Says its port, and at its end the Message-ID of each mail.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys

MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*<([^>]+)>")
TEXT_END = b"\r\n.\r\n"

accepted: list[str] = []


class Talk(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.buffer, self.takes_text = transport, b"", False
        transport.write(b"220 benchmark\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(TEXT_END if self.takes_text else b"\r\n")) >= 0:
            line, rest = self.buffer[:end], self.buffer[end:]
            self.buffer = rest[len(TEXT_END) if self.takes_text else 2 :]
            self.transport.write(self._text(line) if self.takes_text else self._command(line))

    def _text(self, text: bytes) -> bytes:
        self.takes_text = False
        found = MESSAGE_ID.search(text)
        accepted.append(found.group(1).decode() if found else "none")
        return b"250 taken\r\n"

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"DATA":
            self.takes_text = True
            return b"354 go on\r\n"
        return b"221 bye\r\n" if verb == b"QUIT" else b"250 well\r\n"


class Mute(asyncio.Protocol):
    """Accepts the connection, and says nothing."""


async def serve(kind: type[asyncio.Protocol]) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    server = await loop.create_server(kind, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await over.wait()
    sys.stdout.writelines(f"{one}\n" for one in accepted)
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(Mute if "--mute" in sys.argv else Talk))
