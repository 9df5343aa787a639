"""The settings of alerts_app: `VIGIL_ALERTS`, read lazily, with defaults that work."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsConf:
    """All of `VIGIL_ALERTS`; lengths in seconds."""

    REPEAT_S: float = 4 * 3600.0
    """An alert that stays open and happens again notifies again only after this long."""
    SITE_URL: str = ""
    RISK_REGISTER: str = "docs/RISK_REGISTER.md"
    KEEP_RESOLVED_DAYS: int = 180


@cache
def get() -> AlertsConf:
    """The settings in force. Unknown keys are left to the system check `vigil_alerts.E001`."""
    return AlertsConf(**{key: value for key, value in raw().items() if key in KEYS})


def raw() -> dict[str, Any]:
    return dict(getattr(settings, "VIGIL_ALERTS", {}))


KEYS = frozenset(field.name for field in fields(AlertsConf))


def _forget(*, setting: str, **_: object) -> None:
    if setting == "VIGIL_ALERTS":
        get.cache_clear()


setting_changed.connect(_forget, dispatch_uid="alerts_app.conf")
