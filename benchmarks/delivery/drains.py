"""Many messages due at one instant to a gateway that takes no time: what Vigil itself does for each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial

from benchmarks import machine, orm
from benchmarks.delivery import office, records, stock
from benchmarks.delivery.office import Office
from benchmarks.engine import plans
from benchmarks.engine.bursts import CORES_FOR_TWO
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.peers import celery
from benchmarks.stage import Stage

COUNT = 50_000
QUICK_COUNT = 5000
PEER_COUNT = 10_000
QUICK_PEER_COUNT = 500
MANY = 256
USUAL = 8
MADE_A_SECOND = 10_000
"""How fast rows are made, and the database looked over."""
BEHIND = 1_000_000


def null_gateway(stage: Stage) -> Sequence[Measure]:
    """In --quick fewer of both."""
    count = QUICK_COUNT if stage.quick else COUNT
    peer_count = QUICK_PEER_COUNT if stage.quick else PEER_COUNT
    peer, many, usual = take_turns(
        stage.runs,
        partial(celery.deliver, stage, peer_count),
        partial(drain, stage, count, MANY),
        partial(drain, stage, count // 10, USUAL),
    )
    return (
        Measure(
            name=f"{count:,} due to a null gateway, concurrency {MANY}: until all are final",
            unit="messages/s",
            ours=many["rate"],
            peer=peer["rate"],
            peer_name=celery.TASK_EACH,
            goal=Goal(ratio_least=25),
        ),
        Measure(
            name=f"{count // 10:,} due to a null gateway, concurrency {USUAL}",
            unit="messages/s",
            ours=usual["rate"],
            peer=peer["rate"],
            peer_name=celery.TASK_EACH,
            goal=Goal(),
        ),
    )


def two_workers(stage: Stage) -> Sequence[Measure]:
    one, two = take_turns(
        stage.runs,
        partial(drain, stage, COUNT, MANY),
        partial(drain, stage, COUNT, MANY, workers=2),
    )
    return (
        Measure(
            name=f"{COUNT:,} due to a null gateway, two workers: until all are final",
            unit="messages/s",
            ours=two["rate"],
            peer=one["rate"],
            peer_name="Vigil, one worker",
            goal=Goal(ratio_least=1.3 if machine.cores() >= CORES_FOR_TWO else 0.9),
        ),
    )


def backlog(stage: Stage) -> Sequence[Measure]:
    """As many again due in an hour, and as many sent an hour ago, all in the lane that is drained."""
    with contextlib.ExitStack() as stack:
        bare = stack.enter_context(_kept(stage, 0))
        full = stack.enter_context(_kept(stage, BEHIND))
        alone, ours = take_turns(stage.runs, partial(bare, COUNT), partial(full, COUNT))
    return (
        Measure(
            name=f"{COUNT:,} due to a null gateway, {BEHIND:,} due later and {BEHIND:,} sent before",
            unit="messages/s",
            ours=ours["rate"],
            peer=alone["rate"],
            peer_name="Vigil, without",
            goal=Goal(ratio_least=0.9),
        ),
    )


def drain(stage: Stage, count: int, concurrency: int, *, workers: int = 1) -> Figures:
    """Messages a second, from the instant at which `count` are due until the last is final.

    Raises WrongRecordError unless each was sent exactly once.
    """
    with office.opened(stage) as own:
        person = stock.people()
        return drained(own, person, count, concurrency, workers=workers)


def drained(own: Office, person: int, count: int, concurrency: int, *, workers: int = 1) -> Figures:
    before = len(own.accepted())
    running = [own.worker(concurrency) for _ in range(workers)]

    def attempt(lead: timedelta) -> Figures:
        due = plans.now() + lead
        first = stock.notifications(person, count, due)
        own.site.settle()
        plans.wait_for_due(due)
        final_s = records.wait_accepted(before + count)
        for worker in running:
            own.end(worker)
        got = [message for _moment, message in own.accepted()]
        records.check(count, got, first=first)
        return {"rate": count / (final_s - due.timestamp())}

    return attempt(timedelta(seconds=2 + count / MADE_A_SECOND))


@contextlib.contextmanager
def _kept(stage: Stage, behind: int) -> Iterator[Callable[[int], Figures]]:
    """Drains that follow one another in one database."""
    with office.opened(stage) as own:
        person = stock.people()
        if behind:
            hour = timedelta(hours=1)
            stock.notifications(person, behind, plans.now() - hour, sent=True)
            stock.notifications(person, behind, plans.now() + hour)
            own.site.settle()

        def drain_here(count: int) -> Figures:
            with orm.connected(own.site.database_url):  # another may have been opened since
                return drained(own, person, count, MANY)

        yield drain_here
