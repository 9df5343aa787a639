"""What a worker holds after very many messages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from statistics import median

import psutil

from benchmarks.cpu import MIB
from benchmarks.delivery import office, records, stock
from benchmarks.delivery.drains import MADE_A_SECOND, MANY
from benchmarks.engine import plans
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.stage import Stage

COUNT = 200_000
FULL_COUNT = 1_000_000
LOOK_EVERY_S = 0.05
PATIENCE_S = 1800.0


def memory(stage: Stage) -> Sequence[Measure]:
    """A million with --full."""
    count = FULL_COUNT if stage.full else COUNT
    (ours,) = take_turns(stage.runs, partial(_grown, stage, count))
    return (
        Measure(
            name=f"a worker over {count:,} messages: resident memory at the end",
            unit="MiB",
            ours=ours["end_mib"],
            peer=ours["warm_mib"],
            peer_name="the second tenth of the way",
            goal=Goal(ratio_most=1.1),
        ),
    )


def _grown(stage: Stage, count: int) -> Figures:
    with office.opened(stage) as own:
        person = stock.people()
        worker = psutil.Process(own.worker(MANY).pid)
        due = plans.now() + timedelta(seconds=3 + count / MADE_A_SECOND)
        stock.notifications(person, count, due)
        own.site.settle()
        plans.wait_for_due(due)
        held: dict[int, float] = {}
        until_s = time.time() + PATIENCE_S
        while (done := records.count_accepted()) < count:
            records.must(time.time() < until_s, f"{done} of {count} were final in time")
            held[done] = worker.memory_info().rss / MIB
            time.sleep(LOOK_EVERY_S)
        own.site.stop()
        records.check(count, [message for _moment, message in own.accepted()])
        warm = [mib for done, mib in held.items() if 0.1 * count <= done < 0.2 * count]
        end = [mib for done, mib in held.items() if done >= 0.9 * count]
        records.must(bool(warm and end), "the worker was seen too rarely")
        return {"warm_mib": median(warm), "end_mib": median(end)}
