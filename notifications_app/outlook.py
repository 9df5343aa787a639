"""What will become of a notification as things stand."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from notifications_app import channel_states, lanes
from notifications_app.channels import registry
from notifications_app.judgement import foresee
from notifications_app.lane_lines import limits_of
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification
from notifications_app.states import DUE_STATES, NotificationState, Reason
from scheduler_app import nodes
from scheduler_app.states import NodeKind


@dataclass(slots=True)
class Outlook:
    at: datetime | None = None
    """When it may go out; None: nobody knows, or nothing happens any more."""
    texts: list[str] = field(default_factory=list)


def of(row: AlertNotification, now: datetime) -> Outlook:
    if row.state == NotificationState.DEAD:
        text = _("Nothing, unless somebody sends it again: manage.py notifications requeue %(n)s")
        return Outlook(texts=[text % {"n": row.pk}])
    if row.state not in (*DUE_STATES, NotificationState.SENDING):
        return Outlook(texts=[_("Nothing: it has ended.")])
    if row.held_by:
        return Outlook(texts=[_("It waits until #%(n)s has ended.") % {"n": row.held_by.pk}])
    if row.carried_by:
        carrier = of(row.carried_by, now)
        text = _("It goes with the summary #%(n)s.") % {"n": row.carried_by.pk}
        return Outlook(carrier.at, [text, *carrier.texts])
    if row.state == NotificationState.SENDING:
        text = _("Worker %(worker)s sends it; if that dies it is due again after %(until)s.")
        words = {"worker": row.worker, "until": _utc(row.lease_until)}
        return Outlook(texts=[text % words])
    return _of_waiting(row, now)


def _of_waiting(row: AlertNotification, now: datetime) -> Outlook:
    if row.channel not in registry.names():
        text = _("There is no channel %(channel)s any more: it will be given up soon.")
        return Outlook(texts=[text % {"channel": row.channel}])
    lane = lanes.known().get(Lane(row.channel, row.lane))
    limits = limits_of(channel_states.state_of(row.channel), lane, now)
    if limits["is_held"]:
        held = _("It waits until an operator lets %(channel)s go on.")
        return Outlook(texts=[held % {"channel": row.channel}])
    moments = [row.due_at, limits["paused_until"], limits["next_call_at"]]
    at = max(moment for moment in moments if moment)
    due = _("Due since %(at)s.") if row.due_at <= now else _("Due at %(at)s.")
    texts = [due % {"at": _utc(row.due_at)}, *_obstacles(row, limits)]
    if not nodes.living(NodeKind.WORKER, now):
        texts.append(_("No worker is alive: the job send_alert_notifications delivers alone."))
    if not limits["problem"]:
        texts += _foreseen(row, now)
    return Outlook(at, texts)


def _obstacles(row: AlertNotification, limits: dict[str, Any]) -> list[str]:
    texts = []
    if limits["paused_until"]:
        words = {"until": _utc(limits["paused_until"]), "why": limits["pause_reason"]}
        texts.append(_("Its lane is paused until %(until)s because: %(why)s") % words)
    if limits["next_call_at"]:
        words = {"limit": limits["rate_limit"], "until": _utc(limits["next_call_at"])}
        texts.append(_("The rate limit %(limit)s is used up until %(until)s.") % words)
    if limits["problem"]:
        texts.append(_("It will be given up at once: %(why)s") % {"why": limits["problem"]})
    if row.lost_claims:
        words = {"n": row.lost_claims}
        texts.append(_("%(n)s workers died while they held it: it is sent alone.") % words)
    return texts


def _foreseen(row: AlertNotification, now: datetime) -> list[str]:
    """What would keep it from going out although its lane is open."""
    (verdict,) = foresee(registry.shared(row.channel), [copy(row)], now)
    if verdict is None or verdict.is_late or verdict.reason == Reason.QUIET_HOURS:
        return []
    words = {"state": verdict.state.label, "why": verdict.error or verdict.reason.label}
    return [_("As things stand it will not go out, but be %(state)s: %(why)s") % words]


def _utc(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "?"
