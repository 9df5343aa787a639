"""What `verify_jobs` is told about people and workers, of which the scheduler knows nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _

from notifications_app import forecast, lanes, recipients
from scheduler_app import nodes, verify
from scheduler_app.clock import db_now
from scheduler_app.masking import mask
from scheduler_app.states import NodeKind, Severity
from scheduler_app.verify_report import Finding


def connect() -> None:
    verify.register_owner_check("notifications_app", problem_of_owner)
    verify.register_check("notifications_app", worker_findings)
    verify.register_check("notifications_app.channels", channel_findings)


def problem_of_owner(owner: str) -> str:
    """Why a failure would reach nobody by this name; "" when somebody would hear of it."""
    if problem := recipients.problem_of(owner):
        return problem
    told = forecast.who_would_hear(owner, Severity.ERROR, db_now())
    return "" if any(line.at for line in told) else _("No channel reaches anybody of them.")


def channel_findings(now: datetime) -> Iterable[Finding]:
    """Channels, or lanes of them, that their gateway refuses until settings are corrected."""
    for lane in lanes.refused(now):
        words = {"channel": lane.channel, "why": mask(lane.why)}
        yield Finding(
            kind="channel",
            text=_("The gateway of %(channel)s refuses it: %(why)s") % words,
            hint=_(
                "Correct the settings and restart the worker, or correct it at the provider and resume the channel."
            ),
        )


def worker_findings(now: datetime) -> Iterable[Finding]:
    if not nodes.living(NodeKind.WORKER, now):
        yield Finding(
            kind="worker",
            text=_("No notification worker is alive."),
            hint=_("Start one: manage.py notification_worker."),
        )
