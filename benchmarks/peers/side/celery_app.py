"""The Celery app of the peers: `celery -A benchmarks.peers.side.celery_app worker|beat`."""

from __future__ import annotations

import os
import sys
import time

import django

django.setup()

import redis  # noqa: E402
from celery import Celery, signals  # noqa: E402
from django.utils.timezone import now  # noqa: E402

from benchmarks.peers.side.models import Notification, Result  # noqa: E402

BROKER_URL = os.environ["CELERY_BROKER_URL"]
NOTED = "vigil-benchmark:noted"
"""A Redis list with `number time` of each tick."""

app = Celery("peers", broker=BROKER_URL)
app.conf.update(
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    CELERY_DB_REUSE_MAX=1_000_000,  # or it connects anew for each task, several times slower
    beat_max_loop_interval=1,
    beat_scheduler="django_celery_beat.schedulers:DatabaseScheduler",
)
_redis = redis.Redis.from_url(BROKER_URL)


@signals.worker_ready.connect
def say_ready(**_: object) -> None:
    sys.stdout.write("ready.\n")
    sys.stdout.flush()


@app.task
def tick(number: int) -> None:
    _redis.rpush(NOTED, f"{number} {time.time()}")


@app.task
def leave_row(number: int) -> None:
    """A no-op whose outcome is kept in one row, with the least that Django can do for it."""
    Result.objects.create(number=number, noted_at=now())


@app.task(acks_late=True)
def send_one(pk: int) -> None:
    """A notification by a task of its own, with a gateway that takes no time; a worker's death loses none."""
    Notification.objects.filter(pk=pk, status="PENDING").update(status="SENT", sent_at=now())
