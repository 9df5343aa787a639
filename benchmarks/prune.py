"""Does a scheduler keep its lateness while millions of old runs are pruned?

    python -m benchmarks.prune postgres://postgres@127.0.0.1:5432 [--runs 5000000] [--keep 1000000] [--jobs 50]

Makes a database of its own on that server (some 4 GB for 5,000,000 runs), drops it at the end, and prints lateness from
slot to start before and during the prune, which runs as it does on a site: as a job of the scheduler.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[1]
NAME = "vigil_prune_bench"
JOB_FILE = "prune_bench_jobs"
PRUNE = "prune_history"
OLD_DAYS, NEW_DAYS = 60, 10
CHUNK = 250_000


def main() -> None:
    options = _options()
    with _database(options.server) as url, _folder(options.jobs) as folder:
        _prepare_django(url, folder)
        _build(options.runs, options.keep, options.jobs)
        with _scheduler(folder):
            _measure(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("server", help="postgres://user@host:port")
    parser.add_argument("--runs", type=int, default=5_000_000)
    parser.add_argument("--keep", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=50, help="each runs once a second")
    parser.add_argument("--before", type=float, default=60, help="seconds to look on before")
    return parser.parse_args()


@contextlib.contextmanager
def _database(server: str) -> Iterator[str]:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {NAME}")
    try:
        yield f"{server}/{NAME}"
    finally:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


@contextlib.contextmanager
def _folder(jobs: int) -> Iterator[Path]:
    common = {"owner": "admin", "category": "bench", "description": ""}
    often = [
        {"id": f"often{n}", "name": f"Often {n}", "module": "os", "callable": "getpid",
         "cron": "every 1 s", **common}
        for n in range(jobs)
    ]  # fmt: skip
    prune = {"id": PRUNE, "name": "Prune", "module": "scheduler_app.retention",
             "callable": "prune_history", "cron": "0 0 1 1 *", **common}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="vigil-prune-") as name:
        folder = Path(name)
        (folder / f"{JOB_FILE}.py").write_text(f"JOBS = {[*often, prune]!r}\n")
        yield folder


def _prepare_django(url: str, folder: Path) -> None:
    os.environ.update(
        DATABASE_URL=url, JOB_FILE=JOB_FILE, VAR_DIR=str(folder), LOG_DIR=str(folder / "log"),
        SECRET_KEY="bench-" * 12, REDIS_URL="", LOG_LEVEL="WARNING",
        DJANGO_SETTINGS_MODULE="project.settings",
        PYTHONPATH=f"{ROOT}:{folder}",
    )  # fmt: skip
    sys.path[:0] = [str(ROOT), str(folder)]
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _build(runs: int, keep: int, jobs: int) -> None:
    """History of the jobs as the ledger would have left it: rows, totals and epochs."""
    began_s = time.monotonic()
    _epochs(jobs)
    _insert(runs - keep, jobs, OLD_DAYS)
    _insert(keep, jobs, NEW_DAYS)
    _execute(
        "INSERT INTO scheduler_app_runtally (job, hour, state, total, pruned, sum_ms) "
        "SELECT job_id, timestamptz '1970-01-01 00:00+00', state, count(*), 0, 0 "
        "FROM scheduler_app_jobrun GROUP BY job_id, state"
    )
    _execute("ANALYZE")
    print(f"built {runs:,} runs in {time.monotonic() - began_s:.0f} s", flush=True)


def _epochs(jobs: int) -> None:
    from scheduler_app import jobfile, mirror
    from scheduler_app.models import ScheduleEpoch

    mirror.sync(jobfile.load(JOB_FILE))
    _execute(
        "UPDATE scheduler_app_scheduleepoch SET opened_at = now() - interval '90 days' "
        "WHERE definition->>'cron' = 'never'"
    )
    ScheduleEpoch.objects.bulk_create(
        ScheduleEpoch(pk=1_000_000 + n, job_id=f"often{n}", definition={}, opened_at=_ago(90),
                      closed_at=_ago(1))
        for n in range(jobs)
    )  # fmt: skip


def _insert(count: int, jobs: int, days: int) -> None:
    from scheduler_app.models import JobRun

    given = {
        "job_id": f"'often' || n % {jobs}",
        "epoch": f"1000000 + n % {jobs}",
        "trigger": "'SCHEDULE'",
        "slot": "at",
        "slot_count": "1",
        "attempt": "1",
        "state": "CASE WHEN n % 100 = 0 THEN 'SKIPPED' ELSE 'SUCCESS' END",
        "queue": "'default'",
        "ready_at": "at",
        "queued_at": "at",
        "started_at": "at + interval '20 ms'",
        "finished_at": "at + interval '30 ms'",
        "duration_ms": "10",
        "node": "1",
        "token": "md5(n::text)",
        "log": "repeat('a line of the log of this run ', 6)",
        "held": "false",
        "announce_due": "false",
    }
    for field in JobRun._meta.concrete_fields:
        if field.column and not field.null and field.column not in (*given, "id"):
            given[field.column] = "''"
    for first in range(0, count, CHUNK):
        _execute(
            f"INSERT INTO scheduler_app_jobrun ({', '.join(given)}) SELECT {', '.join(given.values())} "
            f"FROM (SELECT n, now() - interval '{days} days' + (n / {jobs}) * interval '1 s' AS at "
            f"FROM generate_series({first}, {min(first + CHUNK, count) - 1}) AS n) AS made"
        )
        print(f"  {days} days old: {min(first + CHUNK, count):,}", flush=True)


@contextlib.contextmanager
def _scheduler(folder: Path) -> Iterator[None]:
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "runscheduler"],
            stdout=out,
            stderr=out,
            cwd=ROOT,
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
            print((folder / "out").read_text()[-500:])


def _measure(options: argparse.Namespace) -> None:
    from scheduler_app import claims
    from scheduler_app.models import JobRun, ScheduledJob

    _wait(
        lambda: JobRun.objects.filter(
            state="SUCCESS", node__gt=0, started_at__gt=_ago(0.5)
        ).exists()
    )
    time.sleep(10)
    begin = _now()
    time.sleep(options.before)
    _say("before", begin, _now())
    run = claims.request_run(ScheduledJob.objects.get(pk=PRUNE))
    begin = _now()
    _wait(lambda: JobRun.objects.filter(pk=run.pk, finished_at__isnull=False).exists(), 7200)
    _say("during", begin, _now())
    run.refresh_from_db()
    rate = (options.runs - options.keep) / (run.duration_ms or 1) * 1000
    print(
        f"prune: {run.state} in {(run.duration_ms or 0) / 1000:.0f} s, {rate:,.0f} rows/s, {run.result}"
    )
    print(f"rows left of the history: {JobRun.objects.filter(epoch__gte=1_000_000).count():,}")


def _say(when: str, begin: Any, end: Any) -> None:
    (row,) = _execute(
        "SELECT count(*), percentile_cont(ARRAY[0.5, 0.95, 0.99, 1]) WITHIN GROUP (ORDER BY lag) FROM "
        "(SELECT extract(epoch FROM started_at - slot) * 1000 AS lag FROM scheduler_app_jobrun "
        "WHERE job_id LIKE 'often%%' AND slot BETWEEN %s AND %s AND started_at IS NOT NULL) AS runs",
        [begin, end],
    )
    seconds = (end - begin).total_seconds()
    p50, p95, p99, worst = row[1]
    print(
        f"{when}: {row[0]:,} runs in {seconds:.0f} s ({row[0] / seconds:.1f}/s), "
        f"lateness p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, worst {worst:.0f} ms",
        flush=True,
    )


def _execute(sql: str, values: Any = None) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def _now() -> Any:
    from scheduler_app.clock import db_now

    return db_now()


def _ago(days: float) -> Any:
    from datetime import timedelta

    return _now() - timedelta(days=days)


def _wait(predicate: Any, timeout_s: float = 60) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline_s:
            raise SystemExit("It did not happen in time.")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
