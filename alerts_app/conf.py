"""The settings of alerts_app: `VIGIL_ALERTS`, read lazily, with defaults that work."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler_app.app_settings import AppSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsConf:
    """All of `VIGIL_ALERTS`; lengths in seconds."""

    REPEAT_S: float = 4 * 3600.0
    """An alert that stays open and happens again notifies again only after this long."""
    SITE_URL: str = ""
    RISK_REGISTER: str = "docs/RISK_REGISTER.md"
    KEEP_RESOLVED_DAYS: int = 180


SETTINGS = AppSettings("VIGIL_ALERTS", AlertsConf)
KEYS = SETTINGS.keys
get, raw = SETTINGS.get, SETTINGS.raw
