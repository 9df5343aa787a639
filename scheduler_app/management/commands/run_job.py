from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import CommandParser, OutputWrapper

from scheduler_app import requests
from scheduler_app.commands import FINDINGS, VigilCommand, add_format
from scheduler_app.durations import spell_ms
from scheduler_app.errors import ParameterError, SchedulerError
from scheduler_app.following import Follower
from scheduler_app.models import JobRun
from scheduler_app.selectors import run_facts
from scheduler_app.states import OPEN_STATES, RunState
from scheduler_app.texts import typed

LOOK_S = 0.2
INTERRUPTED = 130
"""What a shell calls a program that Ctrl-C ended."""


class Command(VigilCommand):
    help = "Run a job now, outside its schedule. A scheduler executes it; --wait follows it to its end."
    errors = (SchedulerError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=typed, help="the job's id")
        parser.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE",
            help="a named argument for this run; VALUE is JSON, or text where it is not JSON",
        )  # fmt: skip
        parser.add_argument(
            "--wait", action="store_true", help="wait for the end; exit 1 if it failed"
        )
        parser.add_argument(
            "--follow", action="store_true",
            help="like --wait, and show what it says while it runs; Ctrl-C leaves the run going",
        )  # fmt: skip
        parser.add_argument("--timeout", type=float, default=600, help="wait at most this long (s)")
        add_format(parser, "table", "json")

    def work(self, **options: Any) -> int:
        params = dict(_pair(text) for text in options["param"])
        run = requests.run_now(options["job"], params=params, requested_by="command line")
        self.say(f"Run {run.pk} of {run.job_id} is queued.")
        waits = options["wait"] or options["follow"]
        if waits:
            try:
                run = self._wait(run, **options)
            except KeyboardInterrupt:
                self._say_that_it_goes_on(run)
                return INTERRUPTED
        self._show(run, **options)
        return FINDINGS if waits and run.state not in WELL else 0

    def _wait(self, run: JobRun, *, timeout: float, follow: bool, **options: Any) -> JobRun:
        deadline, teller = time.monotonic() + timeout, _Teller(self, self._talk(**options))
        while run.state in OPEN_STATES and time.monotonic() < deadline:
            time.sleep(LOOK_S)
            run.refresh_from_db()
            if follow:
                teller.tell(run)
        if run.state == RunState.QUEUED:
            self.say("Nobody took it: is `manage.py runscheduler` running?")
        elif run.state == RunState.RUNNING:
            self._say_that_it_goes_on(run)
        return run

    def _talk(self, *, format: str, **options: Any) -> OutputWrapper:
        """Where what the run says goes: stdout is kept free for JSON."""
        return self.stderr if format == "json" else self.stdout

    def _say_that_it_goes_on(self, run: JobRun) -> None:
        self.say(f"Run {run.pk} goes on. To stop it: manage.py cancel_run {run.pk}")

    def _show(self, run: JobRun, *, format: str, follow: bool, **options: Any) -> None:
        facts = run_facts(run)
        if format == "json":
            self.show_json(facts)
            return
        self.show_table(("", ""), [_row(*fact) for fact in facts.items() if fact[0] != "log"])
        if run.log and not follow:
            self.stdout.write(run.log)


class _Teller:
    """Tells of a run what was not told yet."""

    def __init__(self, command: Command, out: OutputWrapper) -> None:
        self._command, self._out = command, out
        self._follower = Follower()
        self._progress = ""

    def tell(self, run: JobRun) -> None:
        if text := self._follower.new(run.log):
            self._out.write(text, style_func=str, ending="")
            self._out.flush()
        progress = run.progress_text
        if run.progress is not None:
            progress = f"{run.progress:.0f} % {progress}".strip()
        if progress != self._progress:
            self._progress = progress
            self._command.say(progress)


WELL = (RunState.SUCCESS, RunState.SKIPPED)


def _row(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_ms") and value is not None:
        return name.removesuffix("_ms"), spell_ms(value)
    return name, value


def _pair(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise ParameterError(f"--param {text!r}: write NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
