from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import CommandParser

from scheduler_app import requests
from scheduler_app.commands import FINDINGS, VigilCommand, add_format
from scheduler_app.errors import ParameterError, SchedulerError
from scheduler_app.models import JobRun
from scheduler_app.selectors import run_facts
from scheduler_app.states import OPEN_STATES, RunState


class Command(VigilCommand):
    help = "Run a job now, outside its schedule. A scheduler executes it; --wait follows it to its end."
    errors = (SchedulerError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", help="the job's id")
        parser.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE",
            help="a named argument for this run; VALUE is JSON, or text where it is not JSON",
        )  # fmt: skip
        parser.add_argument(
            "--wait", action="store_true", help="wait for the end; exit 1 if it failed"
        )
        parser.add_argument("--timeout", type=float, default=600, help="wait at most this long (s)")
        add_format(parser, "table", "json")

    def work(self, **options: Any) -> int:
        params = dict(_pair(text) for text in options["param"])
        run = requests.run_now(options["job"], params=params, requested_by="command line")
        self.say(f"Run {run.pk} of {run.job_id} is queued.")
        if options["wait"]:
            run = self._wait(run, options["timeout"])
        self._show(run, options["format"])
        return FINDINGS if options["wait"] and run.state not in WELL else 0

    def _wait(self, run: JobRun, timeout_s: float) -> JobRun:
        deadline = time.monotonic() + timeout_s
        while run.state in OPEN_STATES and time.monotonic() < deadline:
            time.sleep(0.1)
            run.refresh_from_db()
        if run.state == RunState.QUEUED:
            self.say("Nobody took it: is `manage.py runscheduler` running?")
        return run

    def _show(self, run: JobRun, how: str) -> None:
        facts = run_facts(run)
        if how == "json":
            self.show_json(facts)
            return
        self.show_table(("", ""), [(name, value) for name, value in facts.items() if name != "log"])
        if run.log:
            self.stdout.write(run.log)


WELL = (RunState.SUCCESS, RunState.SKIPPED)


def _pair(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise ParameterError(f"--param {text!r}: write NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
