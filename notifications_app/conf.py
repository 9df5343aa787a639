"""The settings of notifications_app: `VIGIL_NOTIFICATIONS`, read lazily, with defaults that work."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from notifications_app.rate_limits import RATE_LIMIT
from scheduler_app.app_settings import AppSettings, fitting, one_of

DAY_S = 86_400.0


def _is_limit(text: str) -> bool:
    return not text or bool(RATE_LIMIT.fullmatch(text))


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsConf:
    """All of `VIGIL_NOTIFICATIONS`; lengths in seconds. A channel reads the dict of its name."""

    DEFAULT_RECIPIENTS: tuple[str, ...] = ()
    """User names, addresses or groups who are told when an owner is unknown."""
    SILENT_OWNERS: tuple[str, ...] = ()
    """Owners for whom no one stands in when no channel reaches them, such as that of jobs made for a demonstration."""
    QUEUE: str = one_of("auto", "redis", "celery", "database", default="auto")
    QUEUE_CAP: int = 100_000
    SITE_URL: str = ""
    IMMEDIATE_FROM: str = one_of("INFO", "WARNING", "ERROR", "CRITICAL", default="WARNING")
    """From this severity up people are told at once; below it the hourly job tells them."""
    LEASE_S: float = 90.0
    SEND_DEADLINE_S: float = 30.0
    ALERT_BATCH: int = 50
    NOTIFICATION_BATCH: int = 100
    SYNC_BUDGET_S: float = 60.0
    """How long `send_alert_notifications` may deliver by itself when no queue carries the work."""
    POLL_S: float = 1.0
    BREAKER_AFTER: int = 3
    """A lane rests after so many failures of its gateway in a row; then single messages ask whether it is well."""
    STORM: str = fitting(
        "10/minute", _is_limit, "a limit as in 10/minute, or empty for no summaries"
    )
    """What one person gets singly by one channel; the rest comes as a summary. Critical alerts always come singly."""
    SUMMARY_S: float = 60.0
    """How long a summary gathers in a storm."""
    LATE_S: float = 900.0
    """What waited so long behind a pause of its channel comes in a summary."""
    EXPIRY_S: Mapping[str, float] = field(
        default_factory=lambda: {
            "INFO": 2 * DAY_S,
            "WARNING": 2 * DAY_S,
            "ERROR": 3 * DAY_S,
            "CRITICAL": 7 * DAY_S,
        }
    )
    KEEP_DAYS: int = 90
    SYSTEM: Mapping[str, Any] = field(default_factory=dict)
    EMAIL: Mapping[str, Any] = field(default_factory=dict)
    WECHAT: Mapping[str, Any] = field(default_factory=dict)
    WECHAT_APP: Mapping[str, Any] = field(default_factory=dict)
    SMS: Mapping[str, Any] = field(default_factory=dict)
    WEBHOOK: Mapping[str, Any] = field(default_factory=dict)
    APPRISE: Mapping[str, Any] = field(default_factory=dict)
    EXTRA_CHANNELS: Mapping[str, str] = field(default_factory=dict)
    """Channels of your own: name to dotted path of the class. Each reads the dict of its name, too."""
    PRIVATE_NETWORKS: tuple[str, ...] = fitting(
        (), _is_network, "a list of networks as in 10.2.0.0/16 or fd00::/8"
    )
    """Networks, as in 10.2.0.0/16, that WEBHOOK and APPRISE may reach although they are not public."""


SETTINGS = AppSettings("VIGIL_NOTIFICATIONS", NotificationsConf)
KEYS = SETTINGS.keys
get, raw = SETTINGS.get, SETTINGS.raw


def channel_options(channel: str) -> dict[str, Any]:
    """The settings of one channel, as `VIGIL_NOTIFICATIONS` has them; none where they are no dict."""
    options = SETTINGS.readable().get(channel)
    return dict(options) if isinstance(options, Mapping) else {}


def auth_user_model() -> str:
    return str(settings.AUTH_USER_MODEL)


def site_time_zone() -> str:
    return str(settings.TIME_ZONE)


def site_language() -> str:
    return str(settings.LANGUAGE_CODE)


def languages() -> tuple[str, ...]:
    return tuple(code for code, _ in settings.LANGUAGES)


QUEUE_CACHE = "vigil_queue"


def names_queue_cache() -> bool:
    """Whether CACHES has a Redis for the queue."""
    return QUEUE_CACHE in settings.CACHES


def queue_cache() -> str:
    """The alias of the Redis cache that carries the queue; "" without one that django-redis serves."""
    if not names_queue_cache():
        return ""
    return QUEUE_CACHE if _has_connections(str(settings.CACHES[QUEUE_CACHE]["BACKEND"])) else ""


@cache
def _has_connections(backend: str) -> bool:
    """Whether a cache of this class has connections of django-redis, which may not be installed."""
    try:
        return hasattr(import_string(backend), "client")
    except ImportError:
        return False
