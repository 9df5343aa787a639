"""Findings of the delivery: no worker runs, a channel cannot send or is paused, notifications were given up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from notifications_app import channel_states, conf, lanes, owner_findings
from notifications_app.channels import registry
from notifications_app.models import AlertNotification, ChannelState, LaneState
from notifications_app.states import NotificationState, Reason
from scheduler_app import links, nodes, verdict, verify
from scheduler_app.masking import mask
from scheduler_app.states import NodeKind, Severity
from scheduler_app.verdict import Kind
from scheduler_app.verify_report import Finding

DEAD_WITHIN = timedelta(hours=1)
DEAD_COUNTED = 1000
NO_LOSS = (Reason.CHANNEL_OFF, Reason.PERSON_GONE)
"""Reasons for which a notification that ended is no dead letter: another one replaced it, or it had no recipient."""

_CHANNELS = "vigil_notifications:channels"
KINDS = {
    "worker": Kind(words=gettext_lazy("No notification worker runs"), page="vigil_scheduler:nodes"),
    "channel": Kind(
        words=ngettext_lazy("%(n)d channel cannot send", "%(n)d channels cannot send", "n"),
        page=_CHANNELS,
    ),
    "channel_paused": Kind(
        words=ngettext_lazy("%(n)d channel is paused", "%(n)d channels are paused", "n"),
        page=_CHANNELS,
    ),
    "owner": Kind(
        words=ngettext_lazy(
            "The owner of %(n)d job cannot be told", "The owners of %(n)d jobs cannot be told", "n"
        ),
        page="vigil_scheduler:jobs",
    ),
    "dead_letters": Kind(
        words=ngettext_lazy(
            "Messages by %(n)d channel were given up",
            "Messages by %(n)d channels were given up",
            "n",
        ),
        page="vigil_notifications:notifications",
        query="?state=DEAD",
    ),
}


def connect() -> None:
    for name, kind in KINDS.items():
        verdict.register_kind(name, kind)
    verify.register_check("notifications_app", worker_findings)
    verify.register_check("notifications_app.owners", owner_findings.of_owners)
    verify.register_check("notifications_app.hours", owner_findings.of_hours, for_pages=False)
    verify.register_check("notifications_app.channels", channel_findings)
    verify.register_check("notifications_app.dead_letters", dead_letter_findings)


def worker_findings(now: datetime) -> Iterator[Finding]:
    if not nodes.living(NodeKind.WORKER, now):
        yield Finding(
            kind="worker",
            text=_("No notification worker is alive."),
            hint=_("Start one: manage.py notification_worker."),
            severity=Severity.ERROR,
            url=links.local("vigil_scheduler:nodes"),
        )


def channel_findings(now: datetime) -> Iterator[Finding]:
    """Channels that are switched on and cannot send, that fail each time, that are refused, or that are paused."""
    pauses = lanes.pauses(now)
    for lane in lanes.refused(now):
        facts = {"channel": lane.channel, "why": mask(lane.why)}
        text = _("The gateway of %(channel)s refuses it: %(why)s") % facts
        hint = _(
            "Correct the settings and restart the worker, or correct it at the provider and resume the channel."
        )
        yield _of_channel("channel", text, Severity.ERROR, hint=hint)
    for state in channel_states.read().values():
        if fault := _fault(state):
            text = f"{state.channel}: {fault}"
            yield _of_channel("channel", text, Severity.ERROR, owner=state.owner)
        yield from _pauses(state, pauses.get(state.channel))


def _fault(state: ChannelState) -> str:
    """What keeps the channel from sending; one that is switched off is a wish, and the set-up of the site."""
    is_on = state.channel == "SYSTEM" or conf.channel_options(state.channel).get("ENABLED", True)
    if not (state.enabled and is_on):
        return ""
    if problem := registry.shared(state.channel).problem():
        return problem
    if state.escalate_after and state.failures_in_a_row >= state.escalate_after:
        facts = {"n": state.failures_in_a_row, "error": mask(state.last_error)}
        return _("it failed %(n)d times in a row: %(error)s") % facts
    return ""


def _pauses(state: ChannelState, pause: LaneState | None) -> Iterator[Finding]:
    if state.held:
        text = _("%(channel)s is paused by hand: its messages wait.") % {"channel": state.channel}
        hint = _("Let it go on under “Channels”.")
        yield _of_channel("channel_paused", text, Severity.WARNING, hint=hint, owner=state.owner)
    elif pause is not None and not pause.refused_settings:
        until = f"{pause.paused_until:%H:%M:%S} UTC"
        facts = {"channel": state.channel, "until": until, "why": mask(pause.why)}
        text = _("%(channel)s is paused until %(until)s: %(why)s")
        yield _of_channel("channel_paused", text % facts, Severity.WARNING, owner=state.owner)


def dead_letter_findings(now: datetime) -> Iterator[Finding]:
    """Notifications that were given up within the last hour and reached no recipient, by channel."""
    dead = AlertNotification.objects.filter(
        state=NotificationState.DEAD, finished_at__gte=now - DEAD_WITHIN
    ).exclude(reason__in=NO_LOSS)
    latest = dead.order_by("-finished_at").values_list("channel", "finished_at")
    by_channel: dict[str, list[datetime | None]] = defaultdict(list)
    for channel, finished_at in latest[:DEAD_COUNTED]:
        by_channel[channel].append(finished_at)
    for channel, ended in sorted(by_channel.items()):
        facts = {"n": len(ended), "channel": channel}
        yield Finding(
            kind="dead_letters",
            text=_("%(n)d messages by %(channel)s were given up in the last hour.") % facts,
            hint=_("Look at why, and send them again: manage.py notifications dead."),
            severity=Severity.ERROR,
            since=ended[-1],
            count=len(ended),
            url=links.local("vigil_notifications:notifications") + f"?state=DEAD&channel={channel}",
        )


def _of_channel(
    kind: str,
    text: str,
    severity: Severity,
    *,
    hint: str = "",
    owner: str = "",
) -> Finding:
    url = links.local(_CHANNELS)
    return Finding(kind=kind, text=text, hint=hint, severity=severity, url=url, owner=owner)
