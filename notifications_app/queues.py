"""The doorbell: a Redis list that says "there is work", or nothing at all.

The work itself stands in the database. The list may be emptied, full of rubbish or out of reach at any moment: workers
poll as well, and `refill` makes it show the backlog again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from django_redis import get_redis_connection
from redis.exceptions import RedisError

from notifications_app import conf

logger = logging.getLogger(__name__)

KEY = "notification:dispatch:queue"
RETRY_S = 5.0

_down_since_s: list[float] = []


def mode() -> str:
    """ "redis" while a Redis carries the bell, else "database"."""
    return "redis" if length() is not None else "database"


def ring(ids: Sequence[int]) -> None:
    """Put one id into the list for each row that became due."""
    if ids:
        _try(lambda redis: _push(redis, ids))


def wait(timeout_s: float) -> bool:
    """Wait for the bell, at most `timeout_s`; True when it rang, which takes one entry off the list."""
    begin_s = time.monotonic()
    found = _try(lambda redis: redis.brpop([KEY], timeout=timeout_s) or ())
    if found is None:  # no Redis to wait for
        time.sleep(max(timeout_s - (time.monotonic() - begin_s), 0))
    return bool(found)


def take_out(count: int) -> None:
    """Remove as many entries as rows were claimed, so that the length stays the backlog."""
    if count > 0:
        _try(lambda redis: redis.lpop(KEY, count))


def length() -> int | None:
    """LLEN of the list; None without Redis."""
    found = _try(lambda redis: redis.llen(KEY))
    return None if found is None else int(found)


def refill(ids: Sequence[int]) -> bool:
    """Make the list hold exactly `ids`, whatever was at its key; False without Redis."""
    return _try(lambda redis: _replace(redis, ids), at_once=True) is not None


def _push(redis: Any, ids: Sequence[int]) -> bool:
    cap = conf.get().QUEUE_CAP
    with redis.pipeline() as pipe:
        pipe.lpush(KEY, *ids[:cap])
        pipe.ltrim(KEY, 0, cap - 1)
        pipe.execute()
    return True


def _replace(redis: Any, ids: Sequence[int]) -> bool:
    with redis.pipeline() as pipe:
        pipe.delete(KEY)
        if ids:
            pipe.lpush(KEY, *ids[: conf.get().QUEUE_CAP])
        pipe.execute()
    return True


def _try(call: Any, *, at_once: bool = False) -> Any:
    """The answer of Redis, or None. After a failure Redis is left alone for a few seconds, but for calls `at_once`."""
    alias = conf.queue_cache()
    if conf.get().QUEUE == "database" or not alias:
        return None
    if not at_once and _down_since_s and time.monotonic() - _down_since_s[0] < RETRY_S:
        return None
    try:
        answer = call(get_redis_connection(alias))
    except RedisError as error:
        if not _down_since_s:
            logger.warning("redis_unreachable", extra={"error": str(error)})
        _down_since_s[:] = [time.monotonic()]
        return None
    if _down_since_s:
        logger.info("redis_is_back")
        _down_since_s.clear()
    return answer
