"""APScheduler over DjangoJobStore, its executions recorded: `COUNT` jobs that are due at one instant.

Says on stdout one JSON object with the Unix time at which they are due, and when all have started one with the times at
which they did; then stays until it is ended.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import django

django.setup()

from apscheduler.executors.pool import ThreadPoolExecutor  # noqa: E402
from apscheduler.schedulers.background import BackgroundScheduler  # noqa: E402
from apscheduler.triggers.cron import CronTrigger  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django_apscheduler.jobstores import DjangoJobStore  # noqa: E402

from benchmarks.peers.side import no_ops  # noqa: E402

THREADS = 10
"""APScheduler's default."""
TRIED_FIRST = 50
DEFAULTS = {"misfire_grace_time": 600, "coalesce": False, "max_instances": 3}


def main(count: int) -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={"default": ThreadPoolExecutor(THREADS)},
        job_defaults=DEFAULTS,
    )
    scheduler.add_jobstore(DjangoJobStore(), "default")
    scheduler.start(paused=True)
    pace_s = register(scheduler, TRIED_FIRST, datetime.now(UTC) + timedelta(hours=1)) / TRIED_FIRST
    due = datetime.now(UTC) + timedelta(seconds=2 + 1.6 * pace_s * count)
    register(scheduler, count, due)
    if datetime.now(UTC) > due:
        sys.exit("the jobs were not registered in time")
    scheduler.resume()
    say({"due": due.timestamp()})
    while len(no_ops.noted) < count:
        time.sleep(0.05)
    say({"started": no_ops.noted})
    signal.pause()


def register(scheduler: BackgroundScheduler, count: int, due: datetime) -> float:
    """Give jobs 0 to `count` their rows, due at `due`; returns the seconds that it took."""
    began = time.monotonic()
    trigger = CronTrigger(minute=due.minute, second=due.second, timezone="UTC")
    for number in range(count):
        scheduler.add_job(
            no_ops.note, trigger, id=f"job{number}", next_run_time=due, replace_existing=True
        )
    return time.monotonic() - began


def say(data: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(data) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
