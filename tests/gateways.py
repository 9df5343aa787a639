"""The companies' borders, played by real servers on this machine: WeChat Work, Aliyun SMS, and an SMTP server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
import urllib.parse
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass(slots=True)
class Reply:
    """What the gateway answers; `delay_s` before it, or nothing at all with `drop`."""

    body: str | Mapping[str, Any] = field(default_factory=lambda: {"errcode": 0, "errmsg": "ok"})
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    path: str
    body: str
    at_s: float

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body))


class Gateway:
    """An HTTP server that notes every POST in `posts` and answers with `reply` (a Reply, or a function of the Post)."""

    def __init__(self, reply: Reply | Callable[[Post], Reply] | None = None) -> None:
        self.posts: list[Post] = []
        self.reply: Reply | Callable[[Post], Reply] = reply or Reply()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length).decode()
                gateway._answer(self, Post(self.path, body, time.monotonic()))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.robot = f"{self.url}/cgi-bin/webhook/send?key=693a91f6-secret-key"

    def _answer(self, handler: BaseHTTPRequestHandler, post: Post) -> None:
        self.posts.append(post)
        reply = self.reply(post) if callable(self.reply) else self.reply
        time.sleep(reply.delay_s)
        if reply.drop:
            handler.close_connection = True
            return
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        try:
            handler.send_response(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body.encode())))
            handler.end_headers()
            handler.wfile.write(body.encode())
        except OSError:
            pass  # the caller did not wait for it

    def __enter__(self) -> Gateway:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def aliyun_reply(secret: str) -> Callable[[Post], Reply]:
    """Answers as Aliyun does: OK only for a signature that this independent code computes as well."""

    def reply(post: Post) -> Reply:
        fields = post.form()
        given = fields.pop("Signature", "")
        pairs = []
        for name, value in sorted(fields.items()):
            pairs.append(
                urllib.parse.quote(name, safe="-_.~") + "=" + urllib.parse.quote(value, safe="-_.~")
            )
        canonical = "&".join(pairs)
        string = "POST&%2F&" + urllib.parse.quote(canonical, safe="-_.~")
        mac = hmac.new((secret + "&").encode("utf-8"), string.encode("utf-8"), hashlib.sha1)
        if base64.b64encode(mac.digest()).decode() != given:
            return Reply({"Code": "SignatureDoesNotMatch", "Message": "signature"}, status=400)
        return Reply({"Code": "OK", "Message": "OK", "BizId": "900619746936498440^0"})

    return reply


class _Controller(Controller):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.sessions: list[Any] = []

    def factory(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that it takes passwords without TLS, which is the point
            session = super().factory()
        self.sessions.append(session)
        return session

    async def hang_up(self) -> None:
        """End what is open, so that nothing is left when the loop stops."""
        for session in self.sessions:
            if session.transport:
                session.transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)


class SmtpSink:
    """An SMTP server that keeps what it accepts in `messages`.

    `replies` maps a recipient to what RCPT is answered; `data_reply` is the answer to the message itself, "" drops the
    connection instead. With `context` it offers STARTTLS, or speaks TLS at once with `ssl_at_once`.
    """

    def __init__(
        self,
        *,
        context: Any = None,
        ssl_at_once: bool = False,
        password: str = "",
        delay_s: float = 0.0,
    ) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.replies: dict[str, str] = {}
        self.data_reply = "250 2.0.0 taken"
        self.connections = 0
        self.delay_s = delay_s
        self._password = password
        options: dict[str, Any] = {"require_starttls": False, "auth_require_tls": False}
        if context and not ssl_at_once:
            options |= {"tls_context": context}
        if password:
            options |= {"authenticator": self._check, "auth_required": True}
        self._controller = _Controller(
            self, hostname="127.0.0.1", port=0,
            ssl_context=context if ssl_at_once else None, **options,
        )  # fmt: skip
        self.port = 0

    def _check(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password.decode() == self._password, handled=False)

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if reply := self.replies.get(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        await asyncio.sleep(self.delay_s)
        if not self.data_reply:
            server.transport.abort()
            return ""
        if self.data_reply.startswith("250"):
            found = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(found, EmailMessage)
            self.messages.append(found)
            self.recipients += envelope.rcpt_tos
        return self.data_reply

    def __enter__(self) -> SmtpSink:
        # the controller's own start() asks an SSL port in plain text; this one only waits for the socket
        ready = threading.Event()
        self._controller._thread = threading.Thread(
            target=self._controller._run, args=(ready,), daemon=True
        )
        self._controller._thread.start()
        assert ready.wait(10)
        self.port = self._controller.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        hang_up = self._controller.hang_up()
        asyncio.run_coroutine_threadsafe(hang_up, self._controller.loop).result(10)
        self._controller.stop()
