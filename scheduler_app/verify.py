"""Are the jobs as their file wants them: can they be called, is somebody told, and will they run?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from django.db import Error
from django.utils.translation import gettext as _

from scheduler_app import (
    calendar_days,
    callables,
    conf,
    epochs,
    jobfile,
    parameters,
    problems,
    upcoming,
    verify_live,
    verify_schedule,
)
from scheduler_app.declarations import JobDeclaration
from scheduler_app.errors import (
    CallableError,
    ForbiddenCallableError,
    ParameterError,
    ScheduleError,
)
from scheduler_app.masking import mask
from scheduler_app.states import Severity
from scheduler_app.texts import cut_line, storable
from scheduler_app.verify_report import CheckedJob, Finding, Report
from scheduler_app.verify_schedule import Job

logger = logging.getLogger(__name__)

OwnerCheck = Callable[[str], str]
"""Returns why nobody is told by this owner; "" when somebody is."""
Check = Callable[[datetime], Iterable[Finding]]
"""Returns what an app above finds at a time."""


@dataclass(frozen=True, slots=True)
class _Registered:
    find: Check
    for_pages: bool
    offline: bool


_owner_checks: dict[str, OwnerCheck] = {}
_checks: dict[str, _Registered] = {}


def register_owner_check(name: str, check: OwnerCheck) -> None:
    """Let an app above judge owners; a second check of the same name replaces the first."""
    _owner_checks[name] = check


def register_check(
    name: str, check: Check, *, for_pages: bool = True, offline: bool = False
) -> None:
    """Let an app above add findings of its own, such as a worker that is missing.

    Its findings are problems of the verdict, which pages ask for every few seconds: it makes a small, fixed number of
    queries and no other calls. One that cannot is registered with `for_pages=False` and asked by `verify_jobs` alone.
    One that makes no queries is `offline`.
    """
    _checks[name] = _Registered(check, for_pages, offline)


def registered(
    now: datetime, *, for_pages: bool = False, offline: bool = False
) -> Iterator[Finding]:
    """What the registered checks find. One that raises is a finding itself; a database that is away is not."""
    for name, check in list(_checks.items()):
        if (for_pages and not check.for_pages) or (offline and not check.offline):
            continue
        try:
            yield from list(check.find(now))
        except Error:
            raise
        except Exception as error:
            logger.exception("check_failed", extra={"check": name})
            facts = {"name": name, "error": mask(f"{type(error).__name__}: {error}")}
            text = _("The check %(name)s broke: %(error)s") % facts
            yield Finding(kind="check", text=cut_line(text, 500), severity=Severity.ERROR)


def about(job_id: str, now: datetime) -> list[Finding]:
    """What the apps above find about one job."""
    return [one for check in _checks.values() for one in check.find(now) if one.job == job_id]


def verify(now: datetime, *, offline: bool = False) -> Report:
    """Check every job of the file; `offline`: only what needs neither a database nor a living node.

    Imports the modules that the job file names. Raises JobFileError with every fault when the file is not usable.
    """
    file = jobfile.load(conf.get().JOB_FILE)
    report = Report(checked_at=now, job_file=file.module, digest=file.digest, offline=offline)
    live = None if offline else verify_live.look(file, now)
    jobs: list[Job] = [live.jobs.get(one.id, one) if live else one for one in file.jobs]
    days = calendar_days.entered_for(job.calendar for job in (*file.jobs, *jobs)) if live else {}
    due = live.due if live else {job.id: _next_slot(job, now) for job in jobs}
    runs_at = upcoming.next_runs(jobs, due, days)
    problems_of = cache(_no_problems if offline else _problems_of)  # asks once for each owner
    for declared, job in zip(file.jobs, jobs, strict=True):
        forms = (declared,) if job is declared else (declared, job)
        report.find(one for form in forms for one in _call_findings(declared, form))
        report.find(one for form in forms for one in verify_schedule.findings(form, now, days))
        report.find(one for form in forms for one in _owner_findings(form, problems_of(form.owner)))
        report.note(_notes(job))
        report.jobs.append(_checked(job, runs_at.get(job.id)))
    doubts = verify_schedule.calendar_findings(jobs, now, days)
    if live is None:  # days that somebody entered are not seen
        report.note(doubts)
        report.find(registered(now, offline=True))
        return report
    report.find(doubts)
    report.find(problems.find(now, live.nodes))
    report.find(verify_live.findings(live))
    report.note(verify_live.notes(live))
    report.find(registered(now))
    return report


def _call_findings(declared: JobDeclaration, job: Job) -> Iterator[Finding]:
    """What the file calls, with the parameters of `job`, which may have been changed outside of it."""
    try:
        parameters.check(
            declared.module, declared.callable, job.args, job.kwargs, job.params_schema
        )
        if callables.runs_nothing(callables.resolve(declared.module, declared.callable)):
            text = _("%(name)s is a context manager: a call runs nothing of it.")
            hint = _("Remove the decorator, or name a function that enters it.")
            facts = {"name": declared.callable}
            yield Finding(kind="callable", job=declared.id, text=text % facts, hint=hint)
    except (CallableError, ForbiddenCallableError) as error:
        hint = _("Correct module and callable in the job file.")
        yield Finding(kind="callable", job=declared.id, text=storable(str(error), 2000), hint=hint)
    except ParameterError as error:
        hint = _("Give args and kwargs as the function, and params_schema, take them.")
        yield Finding(kind="signature", job=declared.id, text=storable(str(error), 2000), hint=hint)


def _owner_findings(job: Job, problems: Iterable[str]) -> Iterator[Finding]:
    for problem in problems:
        hint = _("Name a user, an address or a group that can be told.")
        yield Finding(kind="owner", job=job.id, text=problem, hint=hint)


def _problems_of(owner: str) -> list[str]:
    return [problem for check in _owner_checks.values() if (problem := check(owner))]


def _no_problems(owner: str) -> list[str]:
    return []


def _notes(job: Job) -> Iterator[Finding]:
    waiting = {
        "expected_s": job.expected_s is not None,
    }
    for name in (name for name, is_used in waiting.items() if is_used):
        text = _("%(field)s is kept, but this version does not act on it yet.") % {"field": name}
        yield Finding(kind="field", job=job.id, text=text)


def _next_slot(job: Job, now: datetime) -> datetime | None:
    try:
        schedule = epochs.schedule_of(epochs.definition_of(job), now)
    except ScheduleError:
        return None
    return schedule.next_after(now) if job.enabled else None


def _checked(job: Job, next_run_at: datetime | None) -> CheckedJob:
    return CheckedJob(
        id=job.id,
        name=job.name,
        owner=job.owner,
        cron=job.cron,
        timezone=job.timezone or conf.site_time_zone(),
        enabled=job.enabled,
        next_run_at=next_run_at,
    )
