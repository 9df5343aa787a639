"""Celery with Redis: celery beat over django-celery-beat, and plain tasks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from django.db import connection
from redis import Redis

from benchmarks import orm, processes
from benchmarks.engine.records import wait_for
from benchmarks.measure import Figures, percentile
from benchmarks.peers import environment
from benchmarks.stage import Stage
from tests.servers import Running, wait_until

BEAT = "celery beat, django-celery-beat"
BARE = "bare Celery, Redis, one row each"
TASK_EACH = "Celery, Redis, prefork -c 2, a task each"
DELAY = "Celery, Redis, delay() one by one"

APP = "benchmarks.peers.side.celery_app"
NOTED = "vigil-benchmark:noted"
PREPARE_TIMEOUT_S = 120.0
WORKER_TIMEOUT_S = 60.0
BEAT_TIMEOUT_S = 200.0
PATIENCE_S = 240.0
MINUTE_S = 60


@contextlib.contextmanager
def clean_redis(url: str) -> Iterator[Redis]:
    """What came into this Redis database meanwhile is deleted at the end."""
    with Redis.from_url(url, decode_responses=True) as redis:
        before = set(redis.scan_iter())
        yield redis
        if new := set(redis.scan_iter()) - before:
            redis.delete(*new)


def beat(stage: Stage, tasks: int, due: int) -> Figures:
    """p99 from a full minute to the start of the `due` tasks that are due then, out of `tasks`."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(stage.databases.empty("postgresql"))
        redis = stack.enter_context(clean_redis(stage.redis_url))
        env = {"DATABASE_URL": url, "CELERY_BROKER_URL": stage.redis_url}
        plan = environment.start(
            stage, "-m", "benchmarks.peers.side.beat_plan", str(tasks), str(due), **env
        )
        assert plan.wait(PREPARE_TIMEOUT_S) == 0, plan.err
        worker = _celery(stage, stack, "worker", "--pool=threads", "--concurrency=4", **env)
        wait_until(lambda: _is_ready(worker), WORKER_TIMEOUT_S)
        _celery(stage, stack, "beat", f"--schedule={stage.folder / 'beat'}", **env)
        return {"p99_ms": 1000 * percentile(_first_starts_s(redis, due), 0.99)}


def _first_starts_s(redis: Redis, due: int) -> list[float]:
    """How long after the first minute each task first started; one that never did counts as if it just had."""
    until_s = time.time() + BEAT_TIMEOUT_S
    first: dict[str, float] = {}
    while len(first) < due and time.time() < until_s:
        time.sleep(0.5)
        for line in redis.lrange(NOTED, 0, -1):
            number, moment = str(line).split()
            first.setdefault(number, float(moment))
    assert first, f"celery beat started nothing in {BEAT_TIMEOUT_S:.0f} s"
    minute_s = min(first.values()) // MINUTE_S * MINUTE_S
    never = [time.time()] * (due - len(first))
    return [moment - minute_s for moment in (*first.values(), *never)]


def drain(stage: Stage, count: int) -> Figures:
    """`count` no-ops sent one by one from one process: rows a second, from the first sending to the last row."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(stage.databases.empty("postgresql"))
        stack.enter_context(orm.connected(url))
        stack.enter_context(clean_redis(stage.redis_url))
        env = {"DATABASE_URL": url, "CELERY_BROKER_URL": stage.redis_url}
        tables = environment.start(
            stage, "-m", "django", "migrate", "--run-syncdb", "--verbosity=0", **env
        )
        assert tables.wait(PREPARE_TIMEOUT_S) == 0, tables.err
        worker = _celery(stage, stack, "worker", **env)
        wait_until(lambda: _is_ready(worker), WORKER_TIMEOUT_S)
        at_s = time.time() + 3
        module = "benchmarks.peers.side.celery_send"
        sender = environment.start(stage, "-m", module, str(count), str(at_s), **env)
        stack.callback(processes.end, sender)
        final_s = wait_for(_count_rows, count, at_s + PATIENCE_S)
        return {"rate": count / (final_s - at_s)}


def deliver(stage: Stage, count: int) -> Figures:
    """`count` notifications sent by a task each, all queued before the worker starts.

    `delay_rate`: tasks queued a second by one process. `rate`: rows updated a second by a worker that has warmed up.
    """
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(stage.databases.empty("postgresql"))
        stack.enter_context(orm.connected(url))
        stack.enter_context(clean_redis(stage.redis_url))
        env = {"DATABASE_URL": url, "CELERY_BROKER_URL": stage.redis_url}
        queued = environment.start(
            stage, "-m", "benchmarks.peers.side.celery_queue", str(count), **env
        )
        assert queued.wait(PREPARE_TIMEOUT_S) == 0, queued.err
        options = ("--pool=prefork", "--concurrency=2", "--prefetch-multiplier=32")
        _celery(stage, stack, "worker", *options, **env)
        warm = count // 20
        began_s = wait_for(_count_sent, warm, time.time() + PATIENCE_S)
        first = _count_sent()
        final_s = wait_for(_count_sent, count, time.time() + PATIENCE_S)
        return {
            "rate": (count - first) / (final_s - began_s),
            "delay_rate": count / float(queued.out.split()[-1]),
        }


def _celery(
    stage: Stage, stack: contextlib.ExitStack, service: str, *options: str, **env: str
) -> Running:
    command = ("-m", "celery", "-A", APP, service, "--loglevel=WARNING", *options)
    process = environment.start(stage, *command, **env)
    stack.callback(processes.end, process)
    return process


def _is_ready(worker: Running) -> bool:
    said = worker.err + worker.out
    assert worker.process.poll() is None, said
    return "ready." in said


def _count_rows() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM side_result WHERE number >= 0")
        return int(cursor.fetchone()[0])


def _count_sent() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM side_notification WHERE status = 'SENT'")
        return int(cursor.fetchone()[0])
