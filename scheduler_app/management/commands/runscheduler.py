from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler_app import conf
from scheduler_app.commands import CONFIGURATION, VigilCommand
from scheduler_app.engine import Engine
from scheduler_app.errors import CeleryAppError, JobFileError, SchedulerRunningError


class Command(VigilCommand):
    help = (
        "Fire the jobs. Reads the job file, claims due slots, and runs them in threads and records every run, or (with "
        "SCHEDULER_EXECUTOR=celery) rings for the Celery workers that do. "
        "Several may run on one PostgreSQL. SIGTERM ends it within 10 s; what still runs then is recorded as LOST."
    )
    errors = (JobFileError, SchedulerRunningError, CeleryAppError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="run what is due now, then end")
        parser.add_argument(
            "--threads", type=int, help=f"runs at once (default {conf.get().THREADS})"
        )
        parser.add_argument(
            "--queues", default="", help="run only jobs of these queues, as in a,b (default: all)"
        )
        parser.add_argument(
            "--drain", action="store_true", help="on SIGTERM wait for running jobs, however long"
        )

    def work(self, **options: Any) -> None:
        queues = [name for part in options["queues"].split(",") if (name := part.strip())]
        if queues and conf.get().EXECUTOR == "celery":
            text = "--queues is for schedulers that run jobs themselves; give it to the workers: -Q a,b"
            raise CommandError(text, returncode=CONFIGURATION)
        engine = Engine(threads=options["threads"], queues=queues)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: engine.stop(drain=options["drain"]))
        engine.run(once=options["once"])
