from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from scheduler_app import requests
from scheduler_app.commands import VigilCommand, number
from scheduler_app.errors import SchedulerError
from scheduler_app.states import RunState


class Command(VigilCommand):
    help = "Stop a run: a queued one is cancelled at once, a running one is asked to."
    errors = (SchedulerError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=number, help="the run's number")

    def work(self, **options: Any) -> None:
        run = requests.cancel(options["run"], by="command line")
        if run.state == RunState.CANCELLED:
            self.say(f"Run {run.pk} of {run.job_id} is cancelled; it had not begun.")
            return
        self.say(
            f"Run {run.pk} of {run.job_id} is asked to stop. One in a process of its own is ended within seconds; "
            "one in a thread stops when it looks."
        )
