"""Many jobs due at one instant: how fast every row is final, and how late the bodies start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from benchmarks import machine
from benchmarks.databases import Vendor
from benchmarks.engine import plans, records
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.peers import apscheduler
from benchmarks.site import opened
from benchmarks.stage import Stage

PATIENCE_S = 120.0
CORES_FOR_TWO = 4
"""Two schedulers and PostgreSQL need as many to be more than one."""


def thousand(stage: Stage) -> Sequence[Measure]:
    return _beside_apscheduler(
        stage, "postgresql", ratio_least=20, p99_ratio_most=1 / 15, p99_most=250
    )


def thousand_on_sqlite(stage: Stage) -> Sequence[Measure]:
    found = _beside_apscheduler(stage, "sqlite", ratio_least=10, p99_ratio_most=None, p99_most=None)
    return found[:1]


def _beside_apscheduler(
    stage: Stage,
    vendor: Vendor,
    *,
    ratio_least: float,
    p99_ratio_most: float | None,
    p99_most: float | None,
) -> Sequence[Measure]:
    peer, ours = take_turns(
        stage.runs,
        partial(apscheduler.burst, stage, vendor, 1000),
        partial(burst, stage, vendor, 1000),
    )
    where = "" if vendor == "postgresql" else " on SQLite"
    return (
        Measure(
            name=f"1,000 due at once{where}: until all are final",
            unit="runs/s",
            ours=ours["rate"],
            peer=peer["rate"],
            peer_name=apscheduler.NAME,
            goal=Goal(ratio_least=ratio_least),
        ),
        Measure(
            name=f"1,000 due at once{where}: p99 lateness",
            unit="ms",
            ours=ours["p99_ms"],
            peer=peer["p99_ms"],
            peer_name=apscheduler.NAME,
            goal=Goal(ratio_most=p99_ratio_most, most=p99_most),
        ),
    )


def ten_thousand(stage: Stage) -> Sequence[Measure]:
    """In --quick the peer's rate is that of 1,000, which it holds or falls below with 10,000."""
    count = 1000 if stage.quick else 10_000
    peer, ours = take_turns(
        stage.runs,
        partial(apscheduler.burst, stage, "postgresql", count),
        partial(burst, stage, "postgresql", 10_000),
    )
    return (
        Measure(
            name="10,000 due at once: until all are final",
            unit="runs/s",
            ours=ours["rate"],
            peer=peer["rate"],
            peer_name=apscheduler.NAME,
            goal=Goal(ratio_least=20),
        ),
        Measure(
            name="10,000 due at once: p99 lateness",
            unit="ms",
            ours=ours["p99_ms"],
            peer=peer["p99_ms"],
            peer_name=apscheduler.NAME,
            goal=Goal(most=2000),
        ),
    )


def two_schedulers(stage: Stage) -> Sequence[Measure]:
    one, two = take_turns(
        stage.runs,
        partial(burst, stage, "postgresql", 10_000),
        partial(burst, stage, "postgresql", 10_000, schedulers=2),
    )
    least = 1.2 if machine.cores() >= CORES_FOR_TWO else 0.9
    return (
        Measure(
            name="10,000 due at once, two schedulers: until all are final",
            unit="runs/s",
            ours=two["rate"],
            peer=one["rate"],
            peer_name="Vigil, one scheduler",
            goal=Goal(ratio_least=least),
        ),
    )


def burst(
    stage: Stage, vendor: Vendor, count: int, *, schedulers: int = 1, asleep: int = 0
) -> Figures:
    """`count` jobs due at one instant, beside `asleep` that are not.

    Raises WrongRecordError unless each of them ran exactly once.
    """
    attempt = partial(_burst, stage, vendor, count, schedulers, asleep)
    return plans.in_time(attempt, count + asleep)


def _burst(
    stage: Stage, vendor: Vendor, count: int, schedulers: int, asleep: int, lead: timedelta
) -> Figures:
    with opened(stage, vendor) as site:
        due = _make_due(stage, count, plans.now() + lead)
        plans.make_jobs(plans.far_away(due, asleep), prefix="asleep")
        site.settle()
        for _ in range(schedulers):
            site.ready_scheduler()
        plans.wait_for_due(due)
        until_s = due.timestamp() + PATIENCE_S
        final_s = records.wait_for(records.count_final, count, until_s) - due.timestamp()
        site.stop()
        span = records.Span(due, due + timedelta(seconds=1))
        records.check(site, span, count)
        return {"rate": count / final_s, "p99_ms": records.p99_ms(span)}


def _make_due(stage: Stage, count: int, ready: datetime) -> datetime:
    """The jobs, and when they are due: at a full minute, for which --quick does not wait."""
    if stage.quick:
        due = plans.next_second(ready)
        plans.make_jobs(plans.due_at_instant(due, count))
    else:
        due = plans.next_minute(ready)
        plans.make_jobs(plans.due_at_minute(due, count))
    return due
