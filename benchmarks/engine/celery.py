"""The same work through Celery: our executor beside bare Celery, with the same Redis and as many processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from benchmarks import processes
from benchmarks.engine import plans, records
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.peers import celery
from benchmarks.site import Site, opened
from benchmarks.stage import Stage
from benchmarks.trial import LeftOutError
from scheduler_app.models import Node
from scheduler_app.states import NodeKind
from tests import servers

COUNT = 5000
PATIENCE_S = 240.0


def through_celery(stage: Stage) -> Sequence[Measure]:
    _must_be_there(stage)
    peer, ours = take_turns(
        stage.runs, partial(celery.drain, stage, COUNT), partial(burst, stage, COUNT)
    )
    return (
        Measure(
            name=f"{COUNT:,} no-ops through Celery and Redis: until all are final",
            unit="runs/s",
            ours=ours["rate"],
            peer=peer["rate"],
            peer_name=celery.BARE,
            goal=Goal(ratio_least=1),
        ),
    )


def _must_be_there(stage: Stage) -> None:
    env = {"SCHEDULER_EXECUTOR": "celery", "CELERY_BROKER_URL": stage.redis_url}
    check = servers.start_manage("check", folder=stage.folder, env=env)
    if check.wait() != 0:
        reason = next((line for line in check.err.splitlines() if "celery" in line), check.err)
        raise LeftOutError(f"this version does not run jobs through Celery: {reason.strip()}")


def burst(stage: Stage, count: int) -> Figures:
    return plans.in_time(partial(_burst, stage, count), count)


def _burst(stage: Stage, count: int, lead: timedelta) -> Figures:
    with celery.clean_redis(stage.redis_url), opened(stage) as site:
        site.env |= {"SCHEDULER_EXECUTOR": "celery", "CELERY_BROKER_URL": stage.redis_url}
        due = plans.next_second(plans.now() + lead + timedelta(seconds=5))
        plans.make_jobs(plans.due_at_instant(due, count))
        site.settle()
        site.ready_scheduler()
        worker = _ready_worker(site)
        plans.wait_for_due(due)
        until_s = due.timestamp() + PATIENCE_S
        final_s = records.wait_for(records.count_final, count, until_s) - due.timestamp()
        processes.end(worker)
        site.stop()
        records.check(site, records.Span(due, due + timedelta(seconds=1)), count)
        return {"rate": count / final_s}


def _ready_worker(site: Site) -> servers.Running:
    command = [sys.executable, "-m", "celery", "-A", "project", "worker", "-Q", "default"]
    worker = site.start(command)
    servers.wait_until(lambda: Node.objects.filter(kind=NodeKind.CELERY).exists(), 60)
    return worker
