"""The list of jobs as its address says: filtered and sorted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from scheduler_app import problems
from scheduler_app.models import ScheduledJob
from scheduler_app.states import JobState, RunState
from scheduler_app.texts import typed

STATES = {
    "failing": _("failing"),
    "late": _("late"),
    "missed": _("missed slots"),
    "running": _("running"),
    "succeeded": _("succeeded"),
    "never": _("never ran"),
    "broken": _("broken"),
    "orphaned": _("no longer in the job file"),
    "watched": _("run by another scheduler"),
    "drift": _("changed here"),
}
SORTS = {
    "id": ("id",),
    "owner": ("owner", "id"),
    "category": ("category", "id"),
    "last": (F("last_run__finished_at").desc(nulls_last=True), "id"),
    "duration": (F("last_run__duration_ms").desc(nulls_last=True), "id"),
    "since": (F("last_run__failing_since").asc(nulls_last=True), "id"),
    "next": (F("timetable__next_run_time").asc(nulls_last=True), "id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """What an address asks for; values that mean nothing count as not given."""

    text: str = ""
    owner: str = ""
    category: str = ""
    state: str = ""
    enabled: str = ""
    sort: str = "id"

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> JobFilter:
        state, sort = query.get("state", ""), query.get("sort", "")
        enabled = query.get("enabled", "")
        return cls(
            text=_clean(query.get("q", "")),
            owner=_clean(query.get("owner", "")),
            category=_clean(query.get("category", "")),
            state=state if state in STATES else "",
            enabled=enabled if enabled in ("yes", "no") else "",
            sort=sort if sort in SORTS else "id",
        )

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.owner or self.category or self.state or self.enabled)

    def apply(self, jobs: QuerySet[ScheduledJob], now: datetime) -> QuerySet[ScheduledJob]:
        if self.text:
            words = Q(id__icontains=self.text) | Q(name__icontains=self.text)
            jobs = jobs.filter(words | Q(description__icontains=self.text))
        if self.owner:
            jobs = jobs.filter(owner=self.owner)
        if self.category:
            jobs = jobs.filter(category=self.category)
        if self.enabled:
            jobs = jobs.filter(enabled=self.enabled == "yes")
        if self.state:
            jobs = jobs.filter(condition(self.state, now))
        return jobs.order_by(*SORTS[self.sort])


def condition(state: str, now: datetime) -> Q:
    """What it means that a job is in one of `STATES`."""
    conditions = {
        "failing": problems.failing(),
        "late": problems.late(now),
        "missed": problems.missed(),
        "running": Q(id__in=_running_ids()),
        "succeeded": Q(last_run__state=RunState.SUCCESS),
        "never": Q(last_run=None),
        "broken": problems.broken(),
        "orphaned": Q(state=JobState.ORPHANED),
        "watched": Q(state=JobState.WATCHED),
        "drift": ~Q(overrides={}),
    }
    return conditions[state]


def _running_ids() -> QuerySet[ScheduledJob, str]:
    return (
        ScheduledJob.objects.filter(runs__state="RUNNING").order_by().values_list("id", flat=True)
    )


def _clean(text: str) -> str:
    return typed(text)[:200]
