"""Will a job run when it is meant to: its schedule, its calendar, its blackout windows and its jitter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils.translation import gettext as _

from scheduler_app import calendars, epochs, upcoming
from scheduler_app.calendars import Days
from scheduler_app.cron_fields import large_steps
from scheduler_app.declarations import JobDeclaration
from scheduler_app.errors import ScheduleError
from scheduler_app.models import ScheduledJob
from scheduler_app.texts import cut_line, storable
from scheduler_app.timetable import Schedule
from scheduler_app.verify_report import Finding

Job = JobDeclaration | ScheduledJob

LOOK_AHEAD = timedelta(days=45)
"""China publishes the next year in November: early enough to act, late enough that there is something to enter."""
SLOTS_LOOKED_AT = 6


def findings(job: Job, now: datetime, days: Days) -> Iterator[Finding]:
    """What keeps the job from running in the slots that its definition means; `days` as of `calendar_days`."""
    try:
        definition = epochs.definition_of(job)
        schedule = epochs.schedule_of(definition, now)
        rests = epochs.rests_of(definition, days)
    except ScheduleError as error:
        hint = _("Correct cron and timezone, or TIME_ZONE of the site.")
        yield Finding(kind="schedule", job=job.id, text=storable(str(error), 2000), hint=hint)
        return
    if rests and schedule.next_after(now) and not upcoming.next_open(schedule, rests, now):
        text, hint = _("It rests in all of its slots."), _("Correct cron, calendar or blackouts.")
        yield Finding(kind="calendar", job=job.id, text=text, hint=hint)
    yield from _step_findings(job)
    yield from _jitter_findings(job, schedule, now)


def _step_findings(job: Job) -> Iterator[Finding]:
    """A step past the end of its field leaves one value: such a job runs at other times than its author meant."""
    cron = job.cron
    for field, term, span in large_steps(cron) if len(cron.split()) == 5 else ():
        facts = {"term": term, "cron": cron, "field": field.title, "span": span}
        text = _(
            "%(term)s in %(cron)r steps by more than the %(span)d values of its %(field)s, so one is left."
        )
        hint = _("Write that value, or an interval such as 'every 90 min'.")
        yield Finding(kind="schedule", job=job.id, text=text % facts, hint=hint)


def _jitter_findings(job: Job, schedule: Schedule, now: datetime) -> Iterator[Finding]:
    slots = schedule.next_times(now, SLOTS_LOOKED_AT)
    least_s = min(((b - a).total_seconds() for a, b in pairwise(slots)), default=None)
    if job.jitter_s and least_s is not None and job.jitter_s >= least_s:
        facts = {"jitter": f"{job.jitter_s:g}", "least": f"{least_s:g}"}
        text = _("jitter_s is %(jitter)s, but its slots are %(least)s s apart.") % facts
        hint = _("Make it shorter, or a run may start before the one of the slot before.")
        yield Finding(kind="schedule", job=job.id, text=text, hint=hint)


def calendar_findings(jobs: Iterable[Job], now: datetime, days: Days) -> Iterator[Finding]:
    """Calendars of these jobs whose days are not all known, this year or soon; one finding for each calendar."""
    used: dict[str, list[str]] = defaultdict(list)
    for job in jobs:
        if job.calendar:
            used[job.calendar].append(job.id)
    years = sorted({now.year, (now + LOOK_AHEAD).year})
    for calendar, ids in sorted(used.items()):
        names = cut_line(", ".join(sorted(ids)), 200)
        for text, hint in _doubts(calendar, years, days):
            told = _("%(calendar)s: %(text)s Its jobs: %(jobs)s.")
            facts = {"calendar": calendar, "text": text, "jobs": names}
            yield Finding(kind="calendar", text=told % facts, hint=hint)


def _doubts(calendar: str, years: Iterable[int], days: Days) -> Iterator[tuple[str, str]]:
    try:
        place_is_own = calendars.is_own(calendar)
        unknown = calendars.unpublished(calendar, years, days)
    except ScheduleError:  # a finding of the job
        return
    if place_is_own and not any(days.get(key) for key in calendars.keys_of(calendar)):
        yield (
            _("no day was entered for it."),
            _("Enter its days in the admin, under calendar days."),
        )
    for year in unknown:
        text = _("the days off of %(year)s are not known, only the rules by which they fall.")
        hint = _(
            "Once they are published: update the package “holidays”, or enter in the admin, under calendar days, "
            "those that were moved. One day entered for the year settles it."
        )
        yield text % {"year": year}, hint
