from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler_app import conf, explain, forks, jobfile
from scheduler_app.closest import suggestion
from scheduler_app.commands import CONFIGURATION, VigilCommand, add_format
from scheduler_app.errors import CeleryAppError, JobFileError, SchedulerRunningError
from scheduler_app.explain import JobPlan, StartPlan


class Command(VigilCommand):
    help = (
        "Fire the jobs. Reads the job file, claims due slots, and runs them in threads and records every run, or (with "
        "SCHEDULER_EXECUTOR=celery) rings for the Celery workers that do. "
        "Several may run on one PostgreSQL. SIGTERM ends it within 10 s; what still runs then is recorded as LOST."
    )
    log_level = logging.INFO
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
        parser.add_argument(
            "--explain", action="store_true",
            help="start nothing: say what a start now would run, catch up and write off, job by job",
        )  # fmt: skip
        add_format(parser, "table", "json")

    def work(self, **options: Any) -> None:
        if options["explain"]:
            self._explain(options["format"])
            return
        queues = [name for part in options["queues"].split(",") if (name := part.strip())]
        if queues and conf.get().EXECUTOR == "celery":
            text = "--queues is for schedulers that run jobs themselves; give it to the workers: -Q a,b"
            raise CommandError(text, returncode=CONFIGURATION)
        self._say_unused(queues)
        from scheduler_app.engine import Engine  # needs django_apscheduler, of which a check speaks

        engine = Engine(threads=options["threads"], queues=queues)
        forks.on_stop(lambda: engine.stop(drain=options["drain"]))
        engine.run(once=options["once"])

    def _say_unused(self, queues: Sequence[str]) -> None:
        """Warn of queues that no job of the file has."""
        if not queues:
            return
        with contextlib.suppress(JobFileError):  # the engine reports it
            known = {job.queue for job in jobfile.load(conf.get().JOB_FILE).jobs}
            for queue in sorted(set(queues) - known):
                text = f"No job of the job file has the queue {queue!r}."
                self.say(f"{text} {suggestion(queue, known)}".strip())

    def _explain(self, how: str) -> None:
        plan = explain.explain(jobfile.load(conf.get().JOB_FILE))
        if how == "json":
            self.show_json(asdict(plan))
        else:
            columns = ("job", "due now", "caught up", "not run", "waits", "next (UTC)", "job file")
            self.show_table(columns, [_cells(one) for one in plan.jobs])
        for line in _summary(plan):
            self.say(line)


def _cells(plan: JobPlan) -> tuple[str, ...]:
    passed = [
        f"{part.count:,} {part.state} {part.reason} {_span(part.first, part.last)}"
        for part in plan.passed
    ]
    return (
        plan.job_id,
        _times(plan.due),
        _times(plan.caught_up),
        plan.error or "; ".join(passed),
        str(plan.waiting or ""),
        _time(plan.next_at) if plan.next_at else "–",
        plan.change,
    )


def _times(slots: Sequence[datetime]) -> str:
    if len(slots) < 2:
        return "".join(map(_time, slots))
    return f"{len(slots)}: {_span(slots[0], slots[-1])}"


def _span(first: datetime, last: datetime) -> str:
    return _time(first) if first == last else f"{_time(first)} to {_time(last)}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _summary(plan: StartPlan) -> list[str]:
    due, late = (sum(len(getattr(one, name)) for one in plan.jobs) for name in ("due", "caught_up"))
    passed = sum(part.count for one in plan.jobs for part in one.passed)
    waits = sum(one.waiting for one in plan.jobs)
    changes = sum(bool(one.change) for one in plan.jobs)
    lines = [
        f"A start now would run {due:,} slots that are due and {late:,} from before, write off {passed:,}, "
        f"and take {waits:,} runs that wait.",
        f"The job file would change {changes:,} jobs (sync_jobs --dry-run says how)."
        if changes
        else "The job file would change nothing.",
    ]
    if plan.file_problem:
        lines[1] = f"The job file would not be taken over: {plan.file_problem}"
    if plan.schedulers:
        lines.append(f"{plan.schedulers} schedulers are alive: what is due is theirs at once.")
    return lines
