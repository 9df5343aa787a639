"""Tells a monitor outside that this scheduler works, and when it does not (Healthchecks' convention).

POST to the address after each good minute, to `…/start` when the process starts and to `…/fail` when it finds that it
could not do its work. When everything here is dead nothing is sent, which is what the monitor waits for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit

import httpx

from scheduler_app import proxies
from scheduler_app.durations import spell_s
from scheduler_app.heart import Heart
from scheduler_app.masking import add_secret, mask
from scheduler_app.texts import cut_line

logger = logging.getLogger(__name__)
# httpx logs every address that it calls, and this one is a secret
logging.getLogger("httpx").setLevel(logging.WARNING)

TIMEOUT_S = 5.0
"""For each step of a ping (connecting, sending, waiting for the answer)."""
RETRY_S = 10.0
LOOK_S = 1.0
TICK_GAP = timedelta(seconds=10)
"""A scheduler ticks twice a second."""
SECRET_PART = 20
"""Parts of the address from this length up are keys, not words."""


class Vitals:
    """What of a scheduler the monitor is to know. Asks no database, so that it answers at once."""

    def __init__(self, heart: Heart, ticked_at: Callable[[], datetime]) -> None:
        self._heart, self._ticked_at = heart, ticked_at
        self._node = heart.node_id

    def trouble(self) -> str:
        """What is wrong at this moment; "" when nothing is."""
        before, self._node = self._node, self._heart.node_id
        if before != self._node:
            return f"Node {before} was silent and declared dead; it goes on as node {self._node}."
        if not self._heart.is_fresh():
            return "The database has confirmed no heartbeat for two thirds of the lease."
        gap = datetime.now(UTC) - self._ticked_at()
        if gap > TICK_GAP:
            return f"The loop has not looked for due jobs for {spell_s(gap.total_seconds())}."
        return ""


class Pings(threading.Thread):
    """A context around the work: one thread that sends one ping at a time, so that no monitor can hold the work up.

    An exception that leaves the context is told, a clean end is not. Without `url` nothing is done.
    """

    def __init__(self, url: str, every_s: float, trouble: Callable[[], str]) -> None:
        super().__init__(name="vigil-pings", daemon=True)
        self._url, self._every_s, self._trouble = url, every_s, trouble
        self._stop_asked = threading.Event()
        self._last_word = ""
        self._due: tuple[str, str] | None = None
        """The signal that is still to be sent, and its text; a newer one takes its place."""
        self._try_at_s = 0.0
        self._is_refused = False
        _keep_secret(url)

    def __enter__(self) -> Pings:
        if self._url:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._url:
            return
        if error is not None:
            self._last_word = f"The scheduler stops: {kind.__name__ if kind else ''}: {error}"
        self._stop_asked.set()
        self.join(timeout=TIMEOUT_S if error is not None else 0)

    def run(self) -> None:
        self._put("start", "A scheduler has started.")
        look_s = min(LOOK_S, self._every_s / 4)
        good_since_s, is_troubled = time.monotonic(), False
        while not self._stop_asked.wait(look_s):
            trouble = self._trouble()
            if trouble:
                good_since_s = time.monotonic()
                if not is_troubled:
                    self._put("fail", trouble)
                is_troubled = True
            elif time.monotonic() - good_since_s >= self._every_s:
                good_since_s, is_troubled = time.monotonic(), False
                self._put("", "All is well.")
            self._send_due()
        if self._last_word:
            self._put("fail", self._last_word)

    def _put(self, signal: str, text: str) -> None:
        self._due, self._try_at_s = (signal, text), 0.0
        self._send_due()

    def _send_due(self) -> None:
        if self._due is None or time.monotonic() < self._try_at_s:
            return
        problem = self._send(*self._due)
        if not problem:
            self._due = None
        self._try_at_s = time.monotonic() + RETRY_S
        self._note(problem)

    def _send(self, signal: str, text: str) -> str:
        """Returns why the ping did not arrive; "" when it did."""
        body = mask(cut_line(text, 1000)).encode()
        try:
            with (
                proxies.client(
                    self._url, timeout=TIMEOUT_S, headers={"User-Agent": "Vigil"}
                ) as client,
                client.stream("POST", _address(self._url, signal), content=body) as answer,
            ):
                return "" if answer.is_success else f"HTTP {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
            return cut_line(mask(f"{type(error).__name__} {error}".strip()), 200)

    def _note(self, problem: str) -> None:
        """Once when pings begin to fail, and once when they arrive again."""
        if problem and not self._is_refused:
            logger.warning("heartbeat_ping_failed", extra={"error": problem})
        elif self._is_refused and not problem:
            logger.info("heartbeat_ping_arrives_again")
        self._is_refused = bool(problem)


def _address(url: str, signal: str) -> str:
    if not signal:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{signal}"))


def _keep_secret(url: str) -> None:
    """Whoever knows the address can make the monitor believe that all is well."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return
    for part in path.split("/"):
        if len(part) >= SECRET_PART:
            add_secret(part)
