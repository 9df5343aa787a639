"""System checks of `VIGIL_NOTIFICATIONS` and of the channels that are switched on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

from notifications_app import conf
from notifications_app.channels import registry
from notifications_app.channels.addresses import networks
from notifications_app.rate_limits import RATE_LIMIT
from scheduler_app.checks import TAG, read, unknown_keys, unsupported_database, wrong_kinds
from scheduler_app.errors import CeleryAppError
from scheduler_app.executors.doorbell import celery_app
from scheduler_app.states import Severity

NAME = "VIGIL_NOTIFICATIONS"
QUEUES = ("auto", "redis", "celery", "database")


@register(TAG)
def check_settings(**_: object) -> list[CheckMessage]:
    raw, faults = read(NAME, conf.raw, "vigil_notifications.E002")
    known = conf.KEYS | set(registry.names())
    faults += unknown_keys(NAME, raw, known, "vigil_notifications.E001")
    faults += _channel_faults(raw)
    faults += wrong_kinds(NAME, raw, conf.NotificationsConf, "vigil_notifications.E002")
    faults += _queue_faults(raw.get("QUEUE", "auto"))
    faults += _limit_faults(raw)
    faults += _severity_faults(raw)
    faults += _network_faults(raw.get("PRIVATE_NETWORKS", ()))
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
        if not isinstance(options, Mapping) or not options.get("ENABLED"):
            continue
        if problem := registry.create(channel, options).problem():
            hint = f"Set what is missing, or switch {channel} off ({channel}_ENABLED=false)."
            found.append(Warning(problem, hint=hint, id="vigil_notifications.W001"))
    return found


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
                yield from unknown_keys(name, options, known, "vigil_notifications.E001")
            if (limit := options.get("RATE_LIMIT")) and not RATE_LIMIT.fullmatch(str(limit)):
                text, hint = f"{name}['RATE_LIMIT'] is {limit!r}.", "Write it as in 20/minute."
                yield Error(text, hint=hint, id="vigil_notifications.E002")
        elif channel not in conf.KEYS:
            hint = f"Write {name} = {{...}}."
            yield Error(f"{name} is not a dict.", hint=hint, id="vigil_notifications.E002")


def _limit_faults(raw: Mapping[str, Any]) -> Iterator[CheckMessage]:
    storm = raw.get("STORM", "")
    if isinstance(storm, str) and storm and not RATE_LIMIT.fullmatch(storm):
        text, hint = (
            f"{NAME}['STORM'] is {storm!r}.",
            "Write it as in 10/minute; empty: no summaries.",
        )
        yield Error(text, hint=hint, id="vigil_notifications.E002")


def _network_faults(texts: Any) -> Iterator[CheckMessage]:
    for text in texts if isinstance(texts, list | tuple) else ():
        try:
            networks([str(text)])
        except ValueError:
            yield Error(
                f"{NAME}['PRIVATE_NETWORKS'] names {str(text)!r}, which is no network.",
                hint="Write networks as in 10.2.0.0/16 or fd00::/8.",
                id="vigil_notifications.E002",
            )


def _queue_faults(queue: Any) -> Iterator[CheckMessage]:
    code = "vigil_notifications.E002"
    if queue == "redis" and not conf.queue_cache():
        text = f"{NAME}['QUEUE'] is 'redis' and no Redis is configured."
        yield Error(text, hint="Set REDIS_URL, or NOTIFICATION_QUEUE to auto.", id=code)
    if queue == "celery":
        yield from _celery_faults(code)
    if not isinstance(queue, str) or queue in QUEUES:
        return
    text = f"{NAME}['QUEUE'] is {queue!r}, which is no queue."
    yield Error(text, hint=f"Set NOTIFICATION_QUEUE to one of {', '.join(QUEUES)}.", id=code)


def _celery_faults(code: str) -> Iterator[CheckMessage]:
    try:
        celery_app()
    except CeleryAppError as error:
        text = f"{NAME}['QUEUE'] is 'celery' and there is no Celery app: {error}"
        yield Error(text, hint="Set CELERY_BROKER_URL, or NOTIFICATION_QUEUE to auto.", id=code)


def _severity_faults(raw: Mapping[str, Any]) -> Iterator[CheckMessage]:
    code, known = "vigil_notifications.E002", ", ".join(Severity.values)
    least = raw.get("IMMEDIATE_FROM", "WARNING")
    if isinstance(least, str) and least not in Severity.values:
        text = f"{NAME}['IMMEDIATE_FROM'] is {least!r}, which is no severity."
        yield Error(text, hint=f"Severities: {known}.", id=code)
    expiry = raw.get("EXPIRY_S")
    if isinstance(expiry, Mapping) and set(expiry) != set(Severity.values):
        text = f"{NAME}['EXPIRY_S'] does not name each severity once."
        yield Error(text, hint=f"Severities: {known}.", id=code)
