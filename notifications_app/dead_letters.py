"""Messages that were given up: which, why, and what sending them again would do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce

from alerts_app.states import AlertState
from notifications_app import channel_states, conf, outbox
from notifications_app.channels import registry
from notifications_app.judgement import foresee
from notifications_app.models import AlertNotification, ChannelState, DeliveryAttempt
from notifications_app.states import NotificationKind, NotificationState, Reason
from scheduler_app.people import called

BATCH = 500
Rows = QuerySet[AlertNotification]
Fate = tuple[str, str]
"""State and reason."""
SENT: Fate = (NotificationState.SENT, Reason.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadFilter:
    """Which of them; what is not said narrows nothing."""

    ids: Sequence[int] = ()
    channel: str = ""
    reason: str = ""
    since: datetime | None = None
    person: str = ""
    """A user name, an address, or the name under which the row knows somebody."""
    alert: int | None = None

    @property
    def is_empty(self) -> bool:
        return self == DeadFilter()


def dead(chosen: DeadFilter) -> Rows:
    rows = AlertNotification.objects.filter(state=NotificationState.DEAD)
    if chosen.ids:
        rows = rows.filter(pk__among=list(chosen.ids))
    if chosen.since:
        rows = rows.filter(finished_at__gte=chosen.since)
    if chosen.person:
        rows = rows.filter(_is(chosen.person))
    exact = {"channel": chosen.channel, "reason": chosen.reason, "alert": chosen.alert}
    return rows.filter(**{name: value for name, value in exact.items() if value})


def _is(person: str) -> Q:
    named = Q(recipient_name__iexact=person) | Q(recipient_key=person)
    return named | called(get_user_model(), person, "recipient__")


def latest(rows: Rows, limit: int) -> list[Any]:
    """The newest of `rows` with the `last_code` and `last_answer` of the gateway (for the message that carried it)."""
    attempts = DeliveryAttempt.objects.filter(
        notification=Coalesce(OuterRef("carried_by"), OuterRef("pk"))
    ).order_by("-pk")
    said = {
        f"last_{name}": Coalesce(
            Subquery(attempts.values(name)[:1]), Value(""), output_field=TextField()
        )
        for name in ("code", "answer")
    }
    found = rows.select_related("alert").order_by("-finished_at", "-pk")
    return list(found.annotate(**said)[:limit])


@dataclass(slots=True)
class Preview:
    """What `requeue` would do: how many rows, and what would become of them now."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By channel and reason."""
    fates: Counter[Fate] = field(default_factory=Counter)
    resolved: int = 0
    """Of those that would go out: what they tell of is over, and they say so."""

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def sent(self) -> int:
        return self.fates[SENT]

    def facts(self) -> dict[str, Any]:
        """As plain values; what does not go out by reason."""
        counts = sorted(self.counts.items())
        return {
            "total": self.total,
            "chosen": [
                {"channel": channel, "reason": reason, "count": count}
                for (channel, reason), count in counts
            ],
            "sent": self.sent,
            "sent_resolved": self.resolved,
            "suppressed": self.reasons(NotificationState.SUPPRESSED),
            "given_up_again": self.reasons(NotificationState.DEAD),
            "waiting": self.reasons(NotificationState.PENDING),
        }

    def reasons(self, state: str) -> dict[str, int]:
        """How many would be in `state`, by reason."""
        return {reason: n for (its, reason), n in self.fates.most_common() if its == state}


def preview(rows: Rows, now: datetime) -> Preview:
    """What `requeue` of `rows` would do. One judgement for all that are alike, however many they are."""
    found = Preview()
    alike: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for group in _alike(rows):
        found.counts[group["channel"], group["reason"]] += group["count"]
        alike[group["channel"]].append(group)
    states = {state.channel: state for state in channel_states.all_states()}
    for channel, groups in alike.items():
        samples = AlertNotification.objects.in_bulk([group["sample"] for group in groups])
        fates = _fates(channel, states.get(channel), samples, now)
        for group in groups:
            fate = fates[group["sample"]]
            found.fates[fate] += group["count"]
            is_over = group["alert__state"] == AlertState.RESOLVED
            if is_over and fate == SENT and group["kind"] == NotificationKind.FIRE:
                found.resolved += group["count"]
    return found


def _alike(rows: Rows) -> Any:
    """Groups of what would be requeued, of which the judge would say the same; `sample` is one of each."""
    chosen = rows.order_by().values("pk")
    dead = AlertNotification.objects.filter(state=NotificationState.DEAD).order_by()
    mine = dead.filter(Q(pk__in=chosen) | Q(carried_by__in=chosen))
    keys = ("channel", "reason", "recipient", "severity", "kind", "alert__state")
    return mine.values(*keys).annotate(count=Count("pk"), sample=Max("pk"))


def _fates(
    channel: str,
    state: ChannelState | None,
    samples: Mapping[int, AlertNotification],
    now: datetime,
) -> dict[int, Fate]:
    if state is None:  # it is no channel any more
        return dict.fromkeys(samples, (NotificationState.PENDING, Reason.CHANNEL_OFF))
    if state.held:
        return dict.fromkeys(samples, (NotificationState.PENDING, Reason.CHANNEL_PAUSED))
    if channel_states.problem_of(state):
        return dict.fromkeys(samples, (NotificationState.DEAD, Reason.CHANNEL_OFF))
    rows = [_reborn(row, now) for row in samples.values()]
    verdicts = foresee(registry.shared(channel), rows, now)
    return {
        row.pk: (verdict.state, verdict.reason) if verdict else SENT
        for row, verdict in zip(rows, verdicts, strict=True)
    }


def _reborn(row: AlertNotification, now: datetime) -> AlertNotification:
    """As `outbox.requeue` would write it; not saved."""
    row.state, row.reason, row.tries, row.due_at = NotificationState.PENDING, Reason.NONE, 0, now
    row.expires_at = now + timedelta(seconds=conf.get().EXPIRY_S[row.severity])
    return row


def requeue(rows: Rows, *, by: str) -> Iterator[int]:
    """Send `rows` again, BATCH a transaction; yields how many rows each batch brought back.

    What a summary carried goes with it. What dies again meanwhile is left dead.
    """
    dead = rows.filter(state=NotificationState.DEAD).order_by()
    heads = dead.exclude(carried_by__in=dead.values("pk")).order_by("pk")
    last = heads.values_list("pk", flat=True).last()
    at = 0
    while last is not None and at < last:
        ids = list(heads.filter(pk__gt=at, pk__lte=last).values_list("pk", flat=True)[:BATCH])
        if not ids:
            return
        yield outbox.requeue(ids, by=by)
        at = ids[-1]


BATCHES_A_REQUEST = 20


def requeue_some(rows: Rows, *, by: str) -> int:
    """`requeue` as far as a web request may take, about 10,000 rows; returns how many came back."""
    return sum(islice(requeue(rows, by=by), BATCHES_A_REQUEST))
