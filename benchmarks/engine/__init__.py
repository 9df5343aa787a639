"""The suite `engine`: jobs that are due, and what the scheduler makes of them."""

from __future__ import annotations

from benchmarks import orm

orm.set_up()

from benchmarks.engine import bursts, celery, edits, failing, minute, outage, rest, steady  # noqa: E402
from benchmarks.trial import Trial  # noqa: E402

TRIALS = (
    Trial(name="burst", run=bursts.thousand),
    Trial(name="burst-sqlite", run=bursts.thousand_on_sqlite),
    Trial(name="burst-10000", run=bursts.ten_thousand),
    Trial(name="failing", run=failing.failing),
    Trial(name="two-schedulers", run=bursts.two_schedulers, not_quick="it takes two minutes"),
    Trial(name="minute", run=minute.full_minute, not_quick="celery beat takes minutes"),
    Trial(name="steady", run=steady.steady, not_quick="it takes 100,000 jobs and a minute"),
    Trial(name="rest", run=rest.rest),
    Trial(name="edits", run=edits.edits, not_quick="it takes 100,000 jobs and a minute"),
    Trial(name="outage", run=outage.outage, not_quick="it waits for full minutes"),
    Trial(
        name="celery",
        run=celery.through_celery,
        not_quick="workers take their time to start and to end",
    ),
)
