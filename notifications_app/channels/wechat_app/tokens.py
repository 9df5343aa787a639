"""The access token of an application: one for all threads and, through Redis, for all workers.

Without Redis each process has its own, which costs nothing but a call: within its life WeChat Work gives the same one
again (page 91039). Asking too often is punished, so one asks while the others wait, and a refusal is remembered.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from notifications_app import conf, redis_client
from notifications_app.errors import DeliveryError
from notifications_app.redis_client import RedisAwayError

logger = logging.getLogger(__name__)

EARLY_S = 300.0
"""So much before its end a token is not used any more."""
REFUSED_S = 10.0
"""How long a refusal counts for everybody who asks."""
TURN_S = 15
"""How long a worker may take to ask before another one asks, too."""
POLL_S = 0.1

Fetch = Callable[[float], tuple[str, float]]
"""Asks the gateway within so many seconds: the token and its life in seconds. Raises DeliveryError."""


class Tokens:
    def __init__(self, name: str) -> None:
        self._shared = _Shared(name)
        self._lock = threading.Lock()
        self._token, self._until_s = "", 0.0
        self._refusal: DeliveryError | None = None
        self._refused_until_s = 0.0

    def get(self, fetch: Fetch, timeout_s: float, *, bad: str = "") -> str:
        """A token that is not `bad` (one that the gateway has just refused). Raises DeliveryError."""
        deadline_s = time.monotonic() + timeout_s
        if not self._lock.acquire(timeout=max(timeout_s, 0)):
            raise DeliveryError("No access token: another thread is still asking for one.")
        try:
            if self._token in ("", bad) or time.monotonic() > self._until_s:
                self._keep(*self._obtained(fetch, deadline_s, bad))
            return self._token
        finally:
            self._lock.release()

    def _keep(self, token: str, life_s: float) -> None:
        self._token, self._until_s = token, time.monotonic() + life_s

    def _obtained(self, fetch: Fetch, deadline_s: float, bad: str) -> tuple[str, float]:
        """From another worker, else from the gateway."""
        if found := self._shared.read(bad):
            return found
        if self._refusal and time.monotonic() < self._refused_until_s:
            raise copy.copy(self._refusal)
        with self._shared.turn() as is_mine:
            if not is_mine and (found := self._await(deadline_s, bad)):
                return found
            return self._fetched(fetch, deadline_s)

    def _await(self, deadline_s: float, bad: str) -> tuple[str, float] | None:
        """What another worker is asking for; None when it does not come."""
        until_s = min(time.monotonic() + TURN_S, deadline_s - POLL_S)
        while time.monotonic() < until_s:
            if found := self._shared.read(bad):
                return found
            time.sleep(POLL_S)
        return None

    def _fetched(self, fetch: Fetch, deadline_s: float) -> tuple[str, float]:
        try:
            token, life_s = fetch(max(deadline_s - time.monotonic(), POLL_S))
        except DeliveryError as error:
            self._refusal, self._refused_until_s = error, time.monotonic() + REFUSED_S
            raise
        usable_s = max(life_s - EARLY_S, life_s / 2)
        self._shared.write(token, usable_s)
        logger.info("access_token_renewed", extra={"usable_s": usable_s})
        return token, usable_s


@cache
def tokens_of(*facts: str) -> Tokens:
    """Those of the application that `facts` (its secret among them) name, for every instance of the channel."""
    return Tokens(hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16])


class _Shared:
    """The token in Redis, if there is one. As plain text: nothing from there is unpickled."""

    def __init__(self, name: str) -> None:
        self._key = f"vigil:wechat_app:{name}"

    def read(self, bad: str) -> tuple[str, float] | None:
        """Token and remaining life in seconds, None without one that is not `bad`."""
        token = _try(lambda redis: redis.get(self._key))
        life_ms = _try(lambda redis: redis.pttl(self._key)) if token else 0
        if not token or not life_ms or life_ms < 0 or (found := token.decode()) == bad:
            return None
        return found, life_ms / 1000

    def write(self, token: str, life_s: float) -> None:
        _try(lambda redis: redis.set(self._key, token, px=int(life_s * 1000)))

    @contextlib.contextmanager
    def turn(self) -> Any:
        """Whether it is this worker's turn to ask; always without Redis."""
        name = f"{self._key}:turn"
        is_mine = _try(lambda redis: bool(redis.set(name, "1", nx=True, ex=TURN_S)))
        try:
            yield is_mine is not False
        finally:
            if is_mine:
                _try(lambda redis: redis.delete(name))


def _try(call: Callable[[Any], Any]) -> Any:
    """The answer of Redis; None without one, or when it does not answer: it only saves calls of the gateway."""
    if not conf.queue_cache():
        return None
    try:
        return redis_client.ask(call)
    except RedisAwayError as error:
        logger.warning("redis_unreachable", extra={"error": str(error)})
        return None
