"""What rows, attempts, totals and gateways say after a measurement: the figures count only if all of it is right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from django.db.models import Count, Sum

from benchmarks.engine.records import ALL_TIME, wait_for
from benchmarks.ours.null_channel import NULL
from benchmarks.trial import WrongRecordError
from notifications_app.models import (
    AlertNotification,
    ChannelTally,
    DeliveryAttempt,
    GatewayTally,
)
from notifications_app.states import AttemptOutcome, NotificationState

PATIENCE_S = 120.0


def count_accepted(channel: str = NULL) -> int:
    """By the totals, which are written with the rows; one row is read, however many were sent."""
    totals = ChannelTally.objects.filter(
        hour=ALL_TIME, channel=channel, outcome=AttemptOutcome.SENT
    )
    return int(totals.values_list("total", flat=True).first() or 0)


def wait_accepted(count: int, channel: str = NULL, patience_s: float = PATIENCE_S) -> float:
    """Unix time at which `count` messages were final, seen from outside."""
    return wait_for(lambda: count_accepted(channel), count, time.time() + patience_s)


def check(
    count: int, accepted: Iterable[str], *, channel: str = NULL, first: int | None = None
) -> None:
    """All `count` rows of `channel` (from `first` on) were sent, each once, and so say all records.

    `accepted` are all ids that the gateway ever got: those, and only those, of rows that have an attempt. Others than
    the `count` may be among them, as an alarm about a channel. Raises WrongRecordError.
    """
    of_channel = AlertNotification.objects.filter(channel=channel)
    rows = of_channel
    if first is not None:
        rows = of_channel.filter(pk__gte=first, pk__lt=first + count)
    states = _counts(rows, "state")
    must(states == {NotificationState.SENT: count}, f"{count} were due, the rows are {states}")
    attempts = DeliveryAttempt.objects.filter(notification__in=rows)
    outcomes = _counts(attempts, "outcome")
    must(outcomes == {AttemptOutcome.SENT: count}, f"the attempts are {outcomes}")
    told = attempts.order_by().values("notification").distinct().count()
    must(told == count, f"{told} of {count} rows have an attempt")
    check_totals(channel)
    got = Counter(accepted)
    doubles = [message for message, times in got.items() if times > 1]
    must(not doubles, f"the gateway got {len(doubles)} messages more than once")
    wanted = _ids(of_channel.filter(attempts__isnull=False))
    must(wanted <= got.keys(), f"{len(wanted - got.keys())} messages never came to the gateway")
    must(got.keys() <= wanted, f"{len(got.keys() - wanted)} messages have no attempt")


def check_so_far(accepted: Sequence[str], channel: str = NULL) -> int:
    """As `check`, when the worker was stopped on its way; returns how many rows wait.

    What waits was not handed over, and what was handed over is final.
    """
    rows = AlertNotification.objects.filter(channel=channel)
    states = _counts(rows, "state")
    waiting = states.pop(NotificationState.PENDING, 0)
    sent = rows.filter(state=NotificationState.SENT)
    must(states == {NotificationState.SENT: len(accepted)}, f"the rows are {states}")
    must(set(accepted) == _ids(sent), "the gateway got other messages than were sent")
    outcomes = _counts(DeliveryAttempt.objects.filter(channel=channel), "outcome")
    must(outcomes == {AttemptOutcome.SENT: len(accepted)}, f"the attempts are {outcomes}")
    check_totals(channel)
    return waiting


def check_totals(channel: str) -> None:
    """The totals equal the attempts, and the histogram of latencies what was accepted."""
    tallies = ChannelTally.objects.filter(hour=ALL_TIME, channel=channel)
    booked = dict(tallies.values_list("outcome", "total"))
    attempts = _counts(DeliveryAttempt.objects.filter(channel=channel), "outcome")
    must(booked == attempts, f"the totals are {booked}, the attempts {attempts}")
    cells = GatewayTally.objects.filter(hour=ALL_TIME, channel=channel, kind="latency")
    counted = cells.aggregate(total=Sum("total"))["total"] or 0
    sent = attempts.get(AttemptOutcome.SENT, 0)
    must(counted == sent, f"the histogram holds {counted} of {sent}")


def _ids(rows) -> set[str]:
    return {uuid.hex for uuid in rows.values_list("uuid", flat=True)}


def _counts(rows, field: str) -> dict[str, int]:
    return dict(rows.order_by().values_list(field).annotate(Count("pk")))


def must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise WrongRecordError(otherwise)
