"""The system check, and the findings of `verify_jobs`, of the environment variables."""

from __future__ import annotations

from django.core.checks import CheckMessage, register

from project.configuration.faults import Fault
from project.configuration.reading import environment
from scheduler_app import verify
from scheduler_app.checks import TAG, SettingError, SettingWarning, findings_of


@register(TAG)
def check_environment(**_: object) -> list[CheckMessage]:
    return [_message(one) for one in environment().faults]


def _message(fault: Fault) -> CheckMessage:
    text, hint = str(fault.what), str(fault.hint)
    if fault.is_doubt:
        return SettingWarning(text, hint=hint, id="vigil.W001")
    return SettingError(text, hint=hint, id="vigil.E001")


verify.register_check("project.environment", findings_of(check_environment), offline=True)
