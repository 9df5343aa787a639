"""A team's own scheduler as django-apscheduler's README has it, and one line of Vigil's. Ends on SIGTERM.

`python -m tests.stock_scheduler TRACE`: jobs that succeed (and leave a line in the file TRACE), fail, and overlap.
"""

from __future__ import annotations

import logging
import signal
import sys
from datetime import UTC

import django
from apscheduler.schedulers.blocking import BlockingScheduler


def main(trace: str) -> None:
    django.setup()
    from django_apscheduler.jobstores import DjangoJobStore

    import scheduler_app
    from tests import jobs

    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    scheduler = BlockingScheduler(timezone=UTC, job_defaults={"misfire_grace_time": 60})
    scheduler_app.watch(scheduler, name="stock")
    scheduler.add_jobstore(DjangoJobStore(), "default")
    every_second = {"trigger": "interval", "seconds": 1, "replace_existing": True}
    scheduler.add_job(jobs.note, id="good", args=[trace, "stock"], **every_second)
    scheduler.add_job(jobs.fail, id="bad", **every_second)
    scheduler.add_job(jobs.wait, id="slow", args=[2.5], **every_second)
    signal.signal(signal.SIGTERM, lambda *_: scheduler.shutdown(wait=True))
    scheduler.start()


if __name__ == "__main__":
    main(sys.argv[1])
