"""A plausible past for each demo job, the same at every call (pure)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler_app.states import Reason, RunState

OUTAGE = timedelta(hours=3)
OUTAGE_AFTER = 0.6
"""The share of the span after which all schedulers were down for a while."""
SETTLED_AFTER = 0.97
"""From here on only those jobs fail that are to be seen failing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """How a job behaves; lengths in seconds."""

    usual_s: float
    growth: float = 0.0
    """By which share it takes longer at the end of the span."""
    fail_share: float = 0.0
    errors: tuple[str, ...] = ("ConnectionError: the other side did not answer",)
    idle_at_weekends: str = ""
    failing_for: timedelta = timedelta(0)
    """How long before the end of the span it began to fail for good."""
    off_for_share: float = 0.0
    """Which share of the span, at its end, it has been switched off."""
    result: str = ""


PATTERNS = {
    "demo.import_orders": Pattern(
        usual_s=1.8, fail_share=0.004, result='{"imported": 40, "skipped": 0}',
        errors=("ValueError: order 48213 has no address",),
    ),
    "demo.sync_stock": Pattern(
        usual_s=14, fail_share=0.04, result='{"imported": 900, "skipped": 0}',
        errors=(
            "ConnectionError: stock.example.com: connection reset by peer",
            "TimeoutError: no answer within 30 s",
        ),
    ),
    "demo.nightly_report": Pattern(usual_s=260, growth=0.9, result="20 chapters"),
    "demo.mail_digest": Pattern(usual_s=3, idle_at_weekends="no mail at weekends"),
    "demo.price_feed": Pattern(
        usual_s=0.7, fail_share=0.003, failing_for=timedelta(hours=5),
        errors=("ConnectionError: prices.example.com: connection timed out",),
    ),
    "demo.legacy_export": Pattern(usual_s=35, off_for_share=0.3, result="done"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One row of the past: a run, or a range of slots that nobody was there to start."""

    slot: datetime
    state: RunState
    finished_at: datetime
    reason: Reason = Reason.NONE
    slot_last: datetime | None = None
    slot_count: int = 1
    lag_s: float = 0.0
    duration_s: float | None = None
    error: str = ""


def end_of(pattern: Pattern, begin: datetime, end: datetime) -> datetime:
    """When the job was switched off: `end` for one that is on."""
    return end - (end - begin) * pattern.off_for_share


def pasts(job_id: str, slots: Iterable[datetime], begin: datetime, end: datetime) -> Iterator[Past]:
    """One row for each of `slots` (ascending, in a span), those of the outage in one MISSED row."""
    pattern = PATTERNS[job_id]
    chance = random.Random(job_id)  # noqa: S311 - the same history every time is the point
    outage = begin + (end - begin) * OUTAGE_AFTER
    missed: list[datetime] = []
    failed = False
    for slot in slots:
        if outage <= slot < outage + OUTAGE:
            missed.append(slot)
            continue
        if missed:
            yield _missed(missed, outage + OUTAGE)
            missed = []
        share = (slot - begin) / (end - begin)
        past = _run(pattern, slot, end, share, chance, failed=failed)
        failed = past.state == RunState.FAILED
        yield past
    if missed:
        yield _missed(missed, min(outage + OUTAGE, end))


def _missed(slots: Sequence[datetime], found_at: datetime) -> Past:
    return Past(
        slot=slots[0],
        slot_last=slots[-1],
        slot_count=len(slots),
        state=RunState.MISSED,
        reason=Reason.GRACE,
        finished_at=found_at,
        error=f"{len(slots)} slot(s) from {slots[0]:%Y-%m-%d %H:%M:%S} to "
        f"{slots[-1]:%Y-%m-%d %H:%M:%S} UTC were found too late and did not run.",
    )


def _run(
    pattern: Pattern,
    slot: datetime,
    end: datetime,
    share: float,
    chance: random.Random,
    *,
    failed: bool,
) -> Past:
    lag_s = chance.uniform(0.02, 0.4)
    usual_s = pattern.usual_s * (1 + pattern.growth * share)
    duration_s = usual_s * chance.lognormvariate(0, 0.25)
    state, reason, error = RunState.SUCCESS, Reason.NONE, ""
    if pattern.idle_at_weekends and slot.weekday() >= 5:
        state, reason, error = RunState.SKIPPED, Reason.BY_JOB, pattern.idle_at_weekends
        duration_s = chance.uniform(0.001, 0.01)
    elif _fails(pattern, slot, end, share, chance, failed=failed):
        state, error = RunState.FAILED, chance.choice(pattern.errors)
    duration_s = min(duration_s, max((end - slot).total_seconds() - lag_s, 0.0))
    return Past(
        slot=slot,
        state=state,
        reason=reason,
        lag_s=lag_s,
        duration_s=duration_s,
        error=error,
        finished_at=slot + timedelta(seconds=lag_s + duration_s),
    )


def _fails(
    pattern: Pattern,
    slot: datetime,
    end: datetime,
    share: float,
    chance: random.Random,
    *,
    failed: bool,
) -> bool:
    """Failures come in rows: after one the next is as likely as not."""
    drawn = chance.random()
    if pattern.failing_for and slot >= end - pattern.failing_for:
        return True
    if share > SETTLED_AFTER:
        return False
    return drawn < (0.5 if failed and pattern.fail_share else pattern.fail_share)
