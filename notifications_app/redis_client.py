"""The Redis of the settings: one that cannot be used for its settings is the same as one that is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from notifications_app import conf


class RedisAwayError(Exception):
    """Redis does not answer, or its settings cannot be used. The text has no password."""


def ask(call: Callable[[Any], Any]) -> Any:
    """What `call` returns for a client of the cache that carries the queue; there has to be one.

    Raises RedisAwayError.
    """
    from django_redis import get_redis_connection
    from redis.exceptions import RedisError

    alias = conf.queue_cache()
    try:
        return call(get_redis_connection(alias))
    except RedisError as error:
        raise RedisAwayError(str(error)) from error
    except Exception as error:  # noqa: BLE001 - of a URL or an option: each parser raises its own, with pieces of the password
        text = f"CACHES[{alias!r}] cannot be used ({type(error).__name__})"
        raise RedisAwayError(text) from None


def problem() -> str:
    """Why the Redis of the settings cannot even be asked; "" when it can, or when there is none."""
    if not conf.queue_cache():
        return ""
    try:
        ask(lambda redis: redis.connection_pool.make_connection())
    except RedisAwayError as error:
        return str(error)
    return ""
