"""The doorbell: a Redis list or a Celery queue that says "there is work", or nothing at all.

The work itself stands in the database. The bell may be emptied, full of rubbish or out of reach at any moment: workers
poll as well, and `refill` makes it show the backlog again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from notifications_app import conf, redis_client
from notifications_app.redis_client import RedisAwayError
from scheduler_app.errors import BrokerError, CeleryAppError
from scheduler_app.executors.doorbell import Line, celery_app
from scheduler_app.masking import mask

logger = logging.getLogger(__name__)

KEY = "notification:dispatch:queue"
RETRY_S = 5.0

_down_since_s: list[float] = []


TASK = "notifications_app.deliver"
CELERY_QUEUE = "notifications"
"""Celery workers that deliver listen to it: `celery -A project worker -Q notifications`."""

_lines = threading.local()


def mode() -> str:
    """ "celery" by setting; "redis" while a Redis carries the bell; else "database"."""
    if conf.get().QUEUE == "celery":
        return "celery"
    return "redis" if length() is not None else "database"


def has_bell() -> bool:
    """Whether there is anything to ring, by the settings."""
    queue = conf.get().QUEUE
    return queue == "celery" or (queue != "database" and bool(conf.queue_cache()))


def ring(ids: Sequence[int]) -> None:
    """Say that these rows became due."""
    if ids and conf.get().QUEUE == "celery":
        ring_for_one_more()
    elif ids:
        _try(lambda redis: _push(redis, ids))


def ring_for_one_more() -> None:
    """See that a message lies in the Celery queue. A broker that is away is left alone for a few seconds."""
    if _is_left_alone():
        return
    try:
        if not hasattr(_lines, "line"):
            _lines.line = Line(celery_app(), TASK)
        _lines.line.top_up(CELERY_QUEUE, 1)
    except (BrokerError, CeleryAppError) as error:
        _note_down("broker_unreachable", mask(str(error)))
    else:
        _note_back("broker_back")


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
    """Make the bell say exactly `ids`, whatever was at its key; False without one."""
    if conf.get().QUEUE == "celery":
        ring(ids)
        return True
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
    if conf.get().QUEUE == "celery" or not has_bell():
        return None
    if not at_once and _is_left_alone():
        return None
    try:
        answer = redis_client.ask(call)
    except RedisAwayError as error:
        _note_down("redis_unreachable", str(error))
        return None
    _note_back("redis_is_back")
    return answer


def _is_left_alone() -> bool:
    return bool(_down_since_s) and time.monotonic() - _down_since_s[0] < RETRY_S


def _note_down(event: str, error: str) -> None:
    if not _down_since_s:
        logger.warning(event, extra={"error": error})
    _down_since_s[:] = [time.monotonic()]


def _note_back(event: str) -> None:
    if _down_since_s:
        logger.info(event)
        _down_since_s.clear()
