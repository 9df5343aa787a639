"""One notification from its alert to the gateway's answer, in the order of time, and what happens next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alerts_app.titles import title_of
from notifications_app import outlook, preferences, recipients
from notifications_app.errors import NotificationError
from notifications_app.models import AlertNotification, DeliveryAttempt
from notifications_app.states import FINAL_STATES, NotificationKind, NotificationState, Reason
from scheduler_app.masking import mask, shown
from scheduler_app.models import Node

ATTEMPTS = 100
NAMED = 20
RELATED = ("alert", "occurrence", "recipient", "held_by", "carried_by")
"""What the story needs of a row, for `select_related`."""
Row = AlertNotification


class StepKind(TextChoices):
    ALERT = "ALERT", gettext_lazy("alert")
    OCCURRENCE = "OCCURRENCE", gettext_lazy("occurrence")
    RECIPIENT = "RECIPIENT", gettext_lazy("why this person")
    FAN_OUT = "FAN_OUT", gettext_lazy("written")
    QUIET_HOURS = "QUIET_HOURS", gettext_lazy("quiet hours")
    HELD = "HELD", gettext_lazy("after the firing")
    SUMMARY = "SUMMARY", gettext_lazy("summary")
    ATTEMPT = "ATTEMPT", gettext_lazy("attempt")
    FALLBACK = "FALLBACK", gettext_lazy("fallback")
    END = "END", gettext_lazy("ended")
    READ = "READ", gettext_lazy("read")


@dataclass(frozen=True, slots=True)
class Step:
    """What happened at `at`, in words and as plain `facts`; without secrets."""

    at: datetime
    kind: StepKind
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    row: Row
    steps: list[Step]
    next_at: datetime | None
    """When it is tried next, as far as that is known."""
    next: list[str]
    """What happens next, and what it waits for."""


def find(notification_id: int) -> Row:
    """Raises NotificationError where there is none."""
    row = Row.objects.select_related(*RELATED).filter(pk=notification_id).first()
    if row is None:
        text = _("There is no notification %(n)s.") % {"n": notification_id}
        raise NotificationError(text)
    return row


def trace(row: Row, now: datetime) -> Trace:
    """In a fixed number of queries, with the latest 100 attempts."""
    steps = sorted(_steps(row), key=lambda step: step.at)  # stable: the order of the story
    view = outlook.of(row, now)
    return Trace(row, steps, view.at, [mask(text) for text in view.texts])


def _steps(row: Row) -> Iterator[Step]:
    for step in (
        *_alert(row),
        _recipient(row),
        _fan_out(row),
        *_quiet(row),
        *_held(row),
        *_summary(row),
        *_attempts(row),
        *_fallback(row),
        *_end(row),
    ):
        yield Step(step.at, step.kind, mask(step.text), shown(dict(step.facts)))


def _alert(row: Row) -> Iterator[Step]:
    alert, occurrence = row.alert, row.occurrence
    text = _("Alert %(n)s, %(severity)s: %(title)s") % {
        "n": alert.pk, "severity": alert.get_severity_display(), "title": title_of(alert),
    }  # fmt: skip
    facts = {
        "alert": alert.pk, "severity": alert.severity, "source": alert.source, "owner": alert.owner,
        "category": alert.category, "state": alert.state,
    }  # fmt: skip
    yield Step(alert.first_seen_at, StepKind.ALERT, text, facts)
    happened = {"kind": occurrence.get_kind_display(), "n": occurrence.pk}
    text = _("Occurrence %(n)s: %(kind)s") % happened
    facts = {"occurrence": occurrence.pk, "kind": occurrence.kind, "run": occurrence.run}
    yield Step(occurrence.happened_at, StepKind.OCCURRENCE, text, facts)


def _recipient(row: Row) -> Step:
    facts = {"person": row.recipient_name, "key": row.recipient_key, "owner": row.alert.owner}
    return Step(row.created_at, StepKind.RECIPIENT, _why(row), facts)


def _why(row: Row) -> str:
    """Why this person: as far as it is kept with the row, else by what the owner means now."""
    if row.kind == NotificationKind.CONFIRM:
        return _("The address was entered in the person's settings.")
    if row.kind == NotificationKind.TEST:
        return _("A test message that was asked for.")
    if row.kind == NotificationKind.RESOLVE:
        return _("Whoever was told of the firing is told of its end.")
    if row.recipient is None:
        text = _("%(person)s was meant by “%(owner)s”; the account is gone.")
        return text % {"person": row.recipient_name, "owner": row.alert.owner}
    if reason := recipients.why(row.alert.owner, row.recipient):
        return reason
    text = _("“%(owner)s” meant %(person)s then, and does not any more.")
    return text % {"owner": row.alert.owner, "person": row.recipient_name}


def _fan_out(row: Row) -> Step:
    others = Row.objects.filter(
        occurrence=row.occurrence_id, recipient_key=row.recipient_key, kind=row.kind
    ).exclude(pk=row.pk)
    also = [f"{one.channel} #{one.pk}" for one in others.order_by("pk")[:NAMED]]
    text = _("For %(person)s by %(channel)s (%(kind)s)") % {
        "person": row.recipient_name or row.recipient_key,
        "channel": row.channel,
        "kind": row.get_kind_display(),
    }
    if also:
        text += _("; also by %(others)s") % {"others": ", ".join(also)}
    facts = {
        "channel": row.channel, "lane": row.lane, "priority": row.priority, "flow": row.flow,
        "uuid": row.uuid.hex, "expires_at": row.expires_at, "also": also,
    }  # fmt: skip
    return Step(row.created_at, StepKind.FAN_OUT, text, facts)


def _quiet(row: Row) -> Iterator[Step]:
    """Put off at birth: the row says so while it waits, later only its times and the person's settings do."""
    until = row.due_at if row.reason == Reason.QUIET_HOURS else None
    if until is None and row.recipient and row.due_at > row.created_at:
        wishes = preferences.of(row.recipient)
        quiet = preferences.quiet_until(wishes, row.severity, row.created_at)
        until = quiet if quiet == row.due_at else None
    if until:
        text = _("Waits for the end of the quiet hours, %(until)s.") % {"until": _utc(until)}
        yield Step(row.created_at, StepKind.QUIET_HOURS, text, {"until": until})


def _held(row: Row) -> Iterator[Step]:
    if row.kind != NotificationKind.RESOLVE:
        return
    firing = row.held_by or _firing_of(row)
    if firing is None:
        return
    facts = {"notification": firing.pk, "state": firing.state}
    words = {"n": firing.pk, "state": firing.get_state_display()}
    text = _("Follows the firing #%(n)s, which is: %(state)s.") % words
    yield Step(row.created_at, StepKind.HELD, text, facts)
    if not row.held_by and firing.finished_at and firing.finished_at > row.created_at:
        text = _("The firing #%(n)s ended: %(state)s.") % words
        yield Step(firing.finished_at, StepKind.HELD, text, facts)


def _firing_of(row: Row) -> Row | None:
    same = Row.objects.filter(
        alert=row.alert_id, kind=NotificationKind.FIRE,
        recipient_key=row.recipient_key, channel=row.channel, pk__lt=row.pk,
    )  # fmt: skip
    return same.order_by("-pk").first()


def _summary(row: Row) -> Iterator[Step]:
    if carrier := row.carried_by:
        text = _("Part of the summary #%(n)s, which is: %(state)s.")
        words = {"n": carrier.pk, "state": carrier.get_state_display()}
        facts = {"notification": carrier.pk, "state": carrier.state}
        yield Step(max(row.created_at, carrier.created_at), StepKind.SUMMARY, text % words, facts)
    if row.kind == NotificationKind.SUMMARY:
        count = row.carries.count()
        ids = list(row.carries.order_by("pk").values_list("pk", flat=True)[:NAMED])
        text = ngettext("Carries %(n)s message", "Carries %(n)s messages", count) % {"n": count}
        if ids:
            text += ": " + ", ".join(f"#{pk}" for pk in ids) + ("…" if count > NAMED else "")
        yield Step(row.created_at, StepKind.SUMMARY, text, {"count": count, "carries": ids})


def _attempts(row: Row) -> Iterator[Step]:
    """Those of the row and of the summary that carries it, the latest ATTEMPTS."""
    ids = [pk for pk in (row.pk, row.carried_by_id) if pk]
    latest = DeliveryAttempt.objects.filter(notification__in=ids).order_by("-pk")[:ATTEMPTS]
    attempts = list(latest)[::-1]
    workers = {attempt.worker for attempt in attempts if attempt.worker}
    names = dict(Node.objects.filter(pk__in=workers).values_list("pk", "name"))
    for one in attempts:
        worker = f"{names.get(one.worker, '')} #{one.worker}".strip() if one.worker else ""
        text = _("Try %(n)s: %(outcome)s") % {"n": one.number, "outcome": one.get_outcome_display()}
        if one.was_late:
            text += _(", after its lease")
        facts = {
            "number": one.number, "outcome": one.outcome, "code": one.code, "error": one.error,
            "answer": one.answer, "worker": worker, "gateway_ms": round(one.gateway_ms, 1),
            "was_late": one.was_late, "notification": one.notification_id,
        }  # fmt: skip
        yield Step(one.started_at, StepKind.ATTEMPT, text, facts)


def _fallback(row: Row) -> Iterator[Step]:
    """A row that stands in for another was born in the transaction that ended that one."""
    same = Row.objects.filter(
        occurrence=row.occurrence_id, kind=row.kind, recipient_key=row.recipient_key
    ).exclude(channel=row.channel)
    linked = Q(finished_at=row.created_at, state=NotificationState.DEAD)
    if row.state == NotificationState.DEAD:
        linked |= Q(created_at=row.finished_at)
    for other in same.filter(linked).order_by("pk"):
        words = {"n": other.pk, "channel": other.channel}
        facts = {"notification": other.pk, "channel": other.channel, "state": other.state}
        if other.created_at == row.finished_at:
            text = _("#%(n)s by %(channel)s stands in for it.") % words
            yield Step(other.created_at, StepKind.FALLBACK, text, facts)
        else:
            text = _("Stands in for #%(n)s by %(channel)s, which was given up.") % words
            yield Step(row.created_at, StepKind.FALLBACK, text, facts)


def _end(row: Row) -> Iterator[Step]:
    if row.state in FINAL_STATES and row.finished_at:
        text = str(row.get_state_display())
        if row.reason:
            text += f": {row.get_reason_display()}"
        facts = {"state": row.state, "reason": row.reason, "error": row.error_message}
        yield Step(row.finished_at, StepKind.END, text, facts)
    if row.read_at:
        yield Step(row.read_at, StepKind.READ, _("Read in the inbox."))


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
