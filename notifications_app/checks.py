"""System checks of `VIGIL_NOTIFICATIONS` and of the channels that are switched on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, Warning, register

from notifications_app import conf, redis_client, system_jobs
from notifications_app.channels import registry
from notifications_app.rate_limits import RATE_LIMIT
from scheduler_app import verify
from scheduler_app.checks import (
    TAG,
    SettingError,
    SettingWarning,
    declared_jobs,
    findings_of,
    missing_jobs,
    read,
    unknown_keys,
    unsupported_database,
    wrong_kinds,
)
from scheduler_app.errors import CeleryAppError, JobFileError
from scheduler_app.executors.doorbell import celery_app

NAME = "VIGIL_NOTIFICATIONS"


@register(TAG)
def check_settings(**_: object) -> list[CheckMessage]:
    raw, faults = read(NAME, conf.raw, "vigil_notifications.E002")
    known = conf.KEYS | set(registry.names())
    faults += unknown_keys(NAME, raw, known, "vigil_notifications.E001")
    faults += _channel_faults(raw)
    faults += wrong_kinds(NAME, raw, conf.NotificationsConf, "vigil_notifications.E002")
    faults += _queue_faults(raw.get("QUEUE", "auto"))
    return faults


@register(TAG)
def check_database(**_: object) -> list[CheckMessage]:
    return unsupported_database("vigil_notifications.E003")


@register(TAG)
def check_channels(**_: object) -> list[CheckMessage]:
    """A channel that is switched on and cannot send: everything else works, so it is a warning."""
    raw, _faults = read(NAME, conf.raw, "")
    found: list[CheckMessage] = []
    for channel in registry.names():
        options = raw.get(channel)
        if not isinstance(options, Mapping) or not options.get("ENABLED") or "PROBLEM" in options:
            continue  # of its PROBLEM the site's own checks speak
        if problem := registry.create(channel, options).problem():
            hint = f"Set what is missing, or switch {channel} off ({channel}_ENABLED=false)."
            found.append(Warning(problem, hint=hint, id="vigil_notifications.W001"))
    return found


@register(TAG)
def check_system_jobs(**_: object) -> list[CheckMessage]:
    """Jobs without which some notifications are not sent."""
    try:
        jobs = declared_jobs()
    except JobFileError:  # scheduler_app has said so
        return []
    module = "notifications_app.system_jobs"
    return missing_jobs(jobs, system_jobs.JOBS, module, "vigil_notifications.W011")


@register(TAG)
def check_foreign_channels(**_: object) -> list[CheckMessage]:
    """Those that were named and cannot be used: everything else works, and they are not there."""
    hint = "Correct or remove it; docs/channels.md shows a channel that works."
    return [
        Warning(
            f"{one.source} is no channel: {one.problem}.", hint=hint, id="vigil_notifications.W002"
        )
        for one in registry.broken()
    ]


def _channel_faults(raw: Mapping[str, Any]) -> Iterator[CheckMessage]:
    """Options that no channel reads, and options that are no dict."""
    for channel in registry.names():
        known, options = registry.kind_of(channel).option_names, raw.get(channel, {})
        name = f"{NAME}['{channel}']"
        if isinstance(options, Mapping):
            if known is not None:
                yield from unknown_keys(
                    name, options, known | {"PROBLEM"}, "vigil_notifications.E001"
                )
            if (limit := options.get("RATE_LIMIT")) and not RATE_LIMIT.fullmatch(str(limit)):
                text, hint = f"{name}['RATE_LIMIT'] is {limit!r}.", "Write it as in 20/minute."
                yield SettingError(text, hint=hint, id="vigil_notifications.E002")
        elif channel not in conf.KEYS:
            hint = f"Write {name} = {{...}}."
            yield SettingError(f"{name} is not a dict.", hint=hint, id="vigil_notifications.E002")


def _queue_faults(queue: Any) -> Iterator[CheckMessage]:
    code = "vigil_notifications.E002"
    if queue == "redis" and not conf.names_queue_cache():
        text = f"{NAME}['QUEUE'] is 'redis' and no Redis is configured."
        yield SettingError(text, hint="Set REDIS_URL, or NOTIFICATION_QUEUE to auto.", id=code)
    if queue in ("redis", "auto"):
        yield from _redis_faults(queue)
    if queue == "celery":
        yield from _celery_faults(code)
    if queue in ("redis", "auto") and (problem := redis_client.problem()):
        hint = "Write LOCATION as in redis://:password@127.0.0.1:6379/0, with the password percent-encoded (# is %23)."
        yield SettingError(f"{problem}: workers poll the database instead.", hint=hint, id=code)


def _redis_faults(queue: str) -> Iterator[CheckMessage]:
    """An error where Redis has to carry the queue; else workers poll the database."""
    if conf.names_queue_cache() and not conf.queue_cache():
        kind = SettingError if queue == "redis" else SettingWarning
        text = f"CACHES['{conf.QUEUE_CACHE}'] needs django-redis: it is not installed, or another backend is named."
        hint = (
            "pip install 'vigil[redis]', and name the backend django_redis.cache.RedisCache; or leave the cache out: "
            "workers then poll the database."
        )
        yield kind(text, hint=hint, id="vigil_notifications.W010")


def _celery_faults(code: str) -> Iterator[CheckMessage]:
    try:
        celery_app()
    except CeleryAppError as error:
        text = f"{NAME}['QUEUE'] is 'celery' and there is no Celery app: {error}"
        hint = "pip install 'vigil[celery]', set CELERY_BROKER_URL, or NOTIFICATION_QUEUE to auto."
        yield SettingError(text, hint=hint, id=code)


verify.register_check("notifications_app.settings", findings_of(check_settings), offline=True)
