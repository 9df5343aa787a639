"""A mail server for tests, on a free port of 127.0.0.1: a context manager that ends cleanly."""

from __future__ import annotations

import asyncio
import email
import ssl
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult


@dataclass(frozen=True)
class Mail:
    """One accepted message. `connection` counts from 1; `user` logged in on it ("" without a login)."""

    sender: str
    recipient: str
    message: EmailMessage
    data: bytes
    is_private: bool
    user: str
    connection: int


class SmtpSink:
    """A mail server; `messages` are what it accepted, `mails` the same with all that is known of them.

    With `tls` (a server's SSLContext) it offers STARTTLS, or speaks TLS from the first byte with `ssl_only`; with
    `users` (name to password) it wants a login.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        ssl_only: bool = False,
        users: Mapping[str, str] | None = None,
        delay_s: float = 0.0,
    ) -> None:
        self.mails: list[Mail] = []
        self.connections = 0
        self.port = 0
        self.transports: list[asyncio.Transport] = []
        self.replies: dict[str, str] = {}
        """The reply to a recipient: `replies["a@example.com"] = "550 5.1.1 no such user"`."""
        self.sender_reply = self.recipient_reply = ""
        """The reply to every sender, and to every recipient without a reply of its own."""
        self.logins: list[str] = []
        """Login mechanisms that EHLO offers; none of them works."""
        self.takes_utf8 = False
        """Whether SMTPUTF8 is offered."""
        self.names: list[str] = []
        """What clients called themselves in EHLO."""
        self.data_reply = ""
        """The reply to every message, as in "451 4.3.0 later"."""
        self.delay_s = delay_s
        """How long the reply to a message takes."""
        self.answer_after_s = 0.0
        """How long a message is kept before it is answered: who goes away meanwhile does not know that it arrived."""
        self.unheard = 0
        """Answers for which the client did not wait."""
        self.drop_after_data = False
        self._tls, self.ssl_only, self._users = tls, ssl_only, users
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @property
    def messages(self) -> list[EmailMessage]:
        return [mail.message for mail in self.mails]

    def hang_up(self) -> None:
        """End every connection that is open."""
        self._call(self._end_connections())

    def _session(self) -> SMTP:
        self.connections += 1
        offers_tls = self._tls is not None and not self.ssl_only
        options: dict[str, Any] = {"tls_context": self._tls} if offers_tls else {}
        if self._users is not None:
            options.update(authenticator=self._authenticate, auth_require_tls=offers_tls)
        handler = _SmtpHandler(self, self.connections)
        options["enable_SMTPUTF8"] = self.takes_utf8
        return _Session(handler, hostname="sink.test", ident="sink", loop=self._loop, **options)

    def _authenticate(self, server: Any, session: Any, envelope: Any, way: str, data: Any) -> Any:
        user, password = data.login.decode(), data.password.decode()
        accepted = (self._users or {}).get(user) == password
        return AuthResult(success=accepted, handled=False, auth_data=user)

    async def _start(self) -> None:
        context = self._tls if self.ssl_only else None
        self._server = await self._loop.create_server(self._session, self.host, 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end_connections(self) -> None:
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for transport in self.transports:
            transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.transports.clear()

    async def _stop(self) -> None:
        self._server.close()
        await self._end_connections()
        await self._server.wait_closed()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    def __enter__(self) -> SmtpSink:
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Session(SMTP):
    def connection_made(self, transport: Any) -> None:
        self.event_handler.sink.transports.append(transport)
        super().connection_made(transport)


class _SmtpHandler:
    """aiosmtpd's hooks, for one connection."""

    def __init__(self, sink: SmtpSink, number: int) -> None:
        self.sink = sink
        self._number = number

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.sink.names.append(hostname)
        session.host_name = hostname
        if self.sink.logins:
            responses.insert(1, f"250-AUTH {' '.join(self.sink.logins)}")
        return responses

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if reply := self.sink.sender_reply:
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if reply := self.sink.replies.get(address) or self.sink.recipient_reply:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        sink = self.sink
        await asyncio.sleep(sink.delay_s)
        if sink.drop_after_data:
            server.transport.abort()
        if sink.drop_after_data or sink.data_reply:
            return sink.data_reply or "421 gone"
        message = email.message_from_bytes(envelope.content, policy=SMTP_POLICY)
        assert isinstance(message, EmailMessage)
        is_private = sink.ssl_only or bool(session.ssl)
        kept = (message, envelope.content, is_private, session.auth_data or "", self._number)
        sink.mails += [
            Mail(envelope.mail_from, recipient, *kept) for recipient in envelope.rcpt_tos
        ]
        try:
            await asyncio.sleep(sink.answer_after_s)
        except asyncio.CancelledError:
            sink.unheard += 1
            raise
        return f"250 2.0.0 OK: queued as {len(sink.mails)}"
