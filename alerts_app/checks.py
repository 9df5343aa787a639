"""System checks of `VIGIL_ALERTS`."""

from __future__ import annotations

from django.core.checks import CheckMessage, register

from alerts_app import conf
from scheduler_app import verify
from scheduler_app.checks import (
    TAG,
    findings_of,
    read,
    unknown_keys,
    unsupported_database,
    wrong_kinds,
)


@register(TAG)
def check_settings(**_: object) -> list[CheckMessage]:
    raw, faults = read("VIGIL_ALERTS", conf.raw, "vigil_alerts.E002")
    faults += unknown_keys("VIGIL_ALERTS", raw, conf.KEYS, "vigil_alerts.E001")
    faults += wrong_kinds("VIGIL_ALERTS", raw, conf.AlertsConf, "vigil_alerts.E002")
    return faults


@register(TAG)
def check_database(**_: object) -> list[CheckMessage]:
    return unsupported_database("vigil_alerts.E003")


verify.register_check("alerts_app.settings", findings_of(check_settings), offline=True)
