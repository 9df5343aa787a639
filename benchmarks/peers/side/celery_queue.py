"""Makes COUNT notifications, queues a task for each, and says how many seconds the queueing took."""

from __future__ import annotations

import sys
import time

from django.core.management import call_command

from benchmarks.peers.side.celery_app import send_one
from benchmarks.peers.side.models import Notification


def main(count: int) -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    rows = Notification.objects.bulk_create(Notification() for _ in range(count))
    send_one.delay(0)  # connects
    began = time.monotonic()
    for row in rows:
        send_one.delay(row.pk)
    sys.stdout.write(f"{time.monotonic() - began}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
