"""A full minute at which a tenth of all jobs is due, beside celery beat."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks.engine import bursts
from benchmarks.measure import Goal, Measure, take_turns
from benchmarks.peers import celery
from benchmarks.stage import Stage

JOBS = 10_000
DUE = 1000


def full_minute(stage: Stage) -> Sequence[Measure]:
    peer, ours = take_turns(
        stage.runs,
        partial(celery.beat, stage, JOBS, DUE),
        partial(bursts.burst, stage, "postgresql", DUE, asleep=JOBS - DUE),
    )
    return (
        Measure(
            name="1,000 of 10,000 due at the minute: p99 lateness",
            unit="ms",
            ours=ours["p99_ms"],
            peer=peer["p99_ms"],
            peer_name=celery.BEAT,
            goal=Goal(ratio_most=1 / 100),
        ),
    )
