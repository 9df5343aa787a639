"""Servers that play the gateways over HTTP and SMTP, on free ports of 127.0.0.1: context managers that end cleanly.

`Gateway` is the WeChat Work robot and Aliyun's SMS service, `SmtpSink` (tests/smtp_sink.py) a mail server. Both keep
what they got and answer as the test says, so they serve a test's own process and those that it starts.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.smtp_sink import SmtpSink

__all__ = ["Gateway", "Post", "Reply", "SmtpSink", "WechatWork", "is_signed"]

ALIYUN_KEYS = {"test-key-id": "test-key-secret"}
WECHAT_KEY = "robot-key-0123456789"


@dataclass(frozen=True)
class Post:
    """One request as the gateway got it; `headers` have lower-case names."""

    path: str
    query: Mapping[str, str]
    raw_query: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """`body` is sent as JSON unless it is a text or bytes. `drip_s` is the pause between its bytes."""

    body: Any = field(default_factory=lambda: {"errcode": 0, "errmsg": "ok"})
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drip_s: float = 0.0
    drop: bool = False


class Gateway:
    """`posts` are the requests so far, `reply` what each is answered.

    At first it accepts everything but calls to Aliyun with a wrong signature. On another `host` of 127.0.0.0/8 it is
    another lane; with `tls` (a server's SSLContext) it speaks HTTPS.
    """

    def __init__(self, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> None:
        self.posts: list[Post] = []
        self.reply: Reply | Callable[[Post], Reply] = _verdict
        self._once: deque[Reply] = deque()
        self._closing = threading.Event()
        handler = type("Handler", (_Handler,), {"gateway": self})
        self._host, self._scheme = host, "https" if tls else "http"
        self._server = ThreadingHTTPServer((host, 0), handler)
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        # socketserver waits at its end only for threads that are no daemons
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=partial(self._server.serve_forever, 0.02))

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self._host}:{self._server.server_port}"

    @property
    def robot(self) -> str:
        """What WECHAT_WEBHOOK_URL is set to."""
        return f"{self.url}/cgi-bin/webhook/send?key={WECHAT_KEY}"

    def answer(self, *body: Any, times: int = 0, **changes: Any) -> None:
        """Answer with Reply(*body, **changes) from now on, or to the next `times` requests only."""
        reply = Reply(*body, **changes)
        if times:
            self._once.extend([reply] * times)
        else:
            self.reply = reply

    def reply_to(self, post: Post) -> Reply:
        self.posts.append(post)
        with contextlib.suppress(IndexError):
            return self._once.popleft()
        return self.reply(post) if callable(self.reply) else self.reply

    def pause(self, seconds: float) -> None:
        self._closing.wait(seconds)

    def __enter__(self) -> Gateway:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    gateway: Gateway
    timeout = 10

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query))
        reply = self.gateway.reply_to(Post(parts.path, query, parts.query, headers, body))
        self.gateway.pause(reply.delay_s)
        if not reply.drop:
            with contextlib.suppress(OSError):  # the client may have gone
                self._write(reply)

    def _write(self, reply: Reply) -> None:
        body = reply.body
        if not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if not reply.drip_s:
            self.wfile.write(body)
            return
        for byte in body:
            self.wfile.write(bytes([byte]))
            self.gateway.pause(reply.drip_s)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class WechatWork:
    """The side of WeChat Work that applications speak to: give it to a gateway as `reply`.

    Every token that was asked for is in `tokens`; only the last one is good. `answer` is what a message is answered.
    """

    SECRET = "application-secret-1"

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.messages: list[Any] = []
        self.answer: dict[str, Any] = {"errcode": 0, "errmsg": "ok", "msgid": "m-1"}
        self.delay_s = 0.0
        self._good = ""
        self._lock = threading.Lock()

    def revoke(self) -> None:
        """Let the last token be good no more."""
        self._good = ""

    def __call__(self, post: Post) -> Reply:
        with self._lock:
            if post.path == "/cgi-bin/gettoken":
                return self._token(post)
            return self._message(post)

    def _token(self, post: Post) -> Reply:
        if post.query != {"corpid": "ww1", "corpsecret": self.SECRET}:
            return Reply({"errcode": 40001, "errmsg": "invalid credential"})
        self._good = f"token-number-{len(self.tokens) + 1}"
        self.tokens.append(self._good)
        body = {"errcode": 0, "errmsg": "ok", "access_token": self._good, "expires_in": 7200}
        return Reply(body, delay_s=self.delay_s)

    def _message(self, post: Post) -> Reply:
        token = post.query.get("access_token", "")
        if not self._good or token != self._good:
            return Reply({"errcode": 42001, "errmsg": f"access_token {token} expired"})
        self.messages.append(post.json())
        return Reply(self.answer)


def _verdict(post: Post) -> Reply:
    if "x-acs-action" not in post.headers:
        return Reply()
    if not is_signed(post):
        return Reply({"Code": "SignatureDoesNotMatch", "Message": "It does not match."}, status=400)
    return Reply({"Code": "OK", "Message": "OK", "RequestId": "r-1", "BizId": "9006197^0"})


def is_signed(post: Post) -> bool:
    """Whether Aliyun's signature V3 fits: recomputed from what came over the wire, by code of its own."""
    pattern = r"ACS3-HMAC-SHA256 Credential=(.*?),SignedHeaders=(.*?),Signature=(.*)"
    found = re.fullmatch(pattern, post.headers.get("authorization", ""))
    if found is None or found[1] not in ALIYUN_KEYS:
        return False
    plain = sorted(
        tuple(map(unquote, pair.split("=", 1))) for pair in post.raw_query.split("&") if pair
    )
    request = hashlib.sha256(f"POST\n{post.path}\n".encode())
    request.update("&".join("=".join(map(_escape, pair)) for pair in plain).encode())
    for name in found[2].split(";"):
        request.update(f"\n{name}:{post.headers[name]}".encode())
    request.update(f"\n\n{found[2]}\n{hashlib.sha256(post.body).hexdigest()}".encode())
    digest = hmac.new(ALIYUN_KEYS[found[1]].encode(), digestmod="sha256")
    digest.update(b"ACS3-HMAC-SHA256\n" + request.hexdigest().encode())
    return hmac.compare_digest(digest.hexdigest(), found[3])


def _escape(text: str) -> str:
    unreserved = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
    return "".join(chr(b) if b in unreserved else f"%{b:02X}" for b in text.encode())
