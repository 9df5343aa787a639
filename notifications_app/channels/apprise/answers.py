"""What gateways answered to the library apprise, which keeps it to itself and mostly looks at the status alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any

from notifications_app.http_client import BODY_LIMIT_BYTES, Answer
from scheduler_app.texts import clean


class Seen:
    """The last answer in a block, and whether a request may have left without one."""

    def __init__(self, *, takes_proxy: bool) -> None:
        self.was_sent = False
        self._options = {"stream": True} if takes_proxy else {"stream": True, "proxies": {}}
        self._last: Any = None

    def answer(self, tidied: Callable[[str], str]) -> Answer | None:
        if self._last is None:
            return None
        text = clean(self._last.content.decode("utf-8", "replace"))
        headers = {name.lower(): value for name, value in self._last.headers.items()}
        return Answer(status=self._last.status_code, text=tidied(text), headers=headers)

    def call(self, send: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """`send` a request, and take at most 64 KiB of what comes back."""
        import requests
        from urllib3.exceptions import HTTPError, NewConnectionError

        try:
            response = send(*args, **{**kwargs, **self._options})
            self.was_sent = True
            body = response.raw.read(BODY_LIMIT_BYTES, decode_content=True)
        except HTTPError as error:
            raise requests.ConnectionError(type(error).__name__) from error
        except requests.RequestException as error:
            reason = getattr(error.args[0] if error.args else None, "reason", None)
            is_unsent = isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError)
            self.was_sent = not (is_unsent or isinstance(reason, NewConnectionError))
            raise
        response.close()
        # the two fields in which requests keeps a body that was read
        response._content, response._content_consumed = body, True
        self._last = response
        return response


@contextmanager
def kept(*, takes_proxy: bool) -> Iterator[Seen]:
    """In the block the answers to this thread's requests are kept, and proxies of the environment used or not."""
    _listen()
    seen = Seen(takes_proxy=takes_proxy)
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


_seen: ContextVar[Seen | None] = ContextVar("vigil_apprise_answers", default=None)


@cache
def _listen() -> None:
    """Once a process. Outside of `kept` requests behave as ever."""
    import requests

    usual = requests.Session.send

    @wraps(usual)
    def send(*args: Any, **kwargs: Any) -> Any:
        seen = _seen.get()
        return seen.call(usual, *args, **kwargs) if seen else usual(*args, **kwargs)

    requests.Session.send = send  # type: ignore[method-assign]
