"""The one verdict: is all well, and if not, what first? Pages, `/readyz`, `verify_jobs` and figures read it here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from scheduler_app import links, problems, verify
from scheduler_app.states import Severity
from scheduler_app.verify_report import Finding

OTHER = "other"
"""The kind under which what is registered without a kind of its own is counted."""
LAST = datetime.max.replace(tzinfo=UTC)
_RANKS = {severity: rank for rank, severity in enumerate(reversed(Severity.values))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What problems of one kind are called (`words` take `n`), and the list that has all of them."""

    words: str | Promise
    page: str = ""
    query: str = ""

    def say(self, count: int) -> str:
        return str(self.words % {"n": count})

    @property
    def url(self) -> str:
        address = links.local(self.page) if self.page else ""
        return address and address + self.query


_NODES = "vigil_scheduler:nodes"
_JOBS = "vigil_scheduler:jobs"
_kinds: dict[str, Kind] = {
    "node": Kind(words=gettext_lazy("No scheduler runs"), page=_NODES),
    "draining": Kind(words=gettext_lazy("Every scheduler is about to end"), page=_NODES),
    "tick": Kind(
        words=ngettext_lazy("%(n)d scheduler does not tick", "%(n)d schedulers do not tick", "n"),
        page=_NODES,
    ),
    "job_file": Kind(
        words=ngettext_lazy(
            "%(n)d node refuses the job file", "%(n)d nodes refuse the job file", "n"
        ),
        page=_NODES,
    ),
    "queue": Kind(
        words=ngettext_lazy("%(n)d queue is not served", "%(n)d queues are not served", "n"),
        page=_NODES,
    ),
    "threads": Kind(
        words=ngettext_lazy(
            "%(n)d scheduler has no free thread", "%(n)d schedulers have no free thread", "n"
        ),
        page=_NODES,
    ),
    "clock": Kind(
        words=ngettext_lazy("%(n)d clock is wrong", "%(n)d clocks are wrong", "n"), page=_NODES
    ),
    "broken": Kind(
        words=ngettext_lazy("%(n)d job is broken", "%(n)d jobs are broken", "n"),
        page=_JOBS,
        query="?state=broken",
    ),
    "failing": Kind(
        words=ngettext_lazy("%(n)d job is failing", "%(n)d jobs are failing", "n"),
        page=_JOBS,
        query="?state=failing&sort=since",
    ),
    "timetable": Kind(
        words=ngettext_lazy("%(n)d job is late", "%(n)d jobs are late", "n"),
        page=_JOBS,
        query="?state=late&sort=next",
    ),
    "missed": Kind(
        words=ngettext_lazy("%(n)d job missed slots", "%(n)d jobs missed slots", "n"),
        page=_JOBS,
        query="?state=missed",
    ),
    "check": Kind(words=ngettext_lazy("%(n)d check broke", "%(n)d checks broke", "n")),
    OTHER: Kind(words=ngettext_lazy("%(n)d more problem", "%(n)d more problems", "n")),
}


def register_kind(name: str, kind: Kind) -> None:
    """Let an app above name a kind of its findings; each kind is a series of the figures."""
    _kinds[name] = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All problems of one kind, the first first; `url` has the list of them, "" where there is none."""

    kind: str
    words: str
    problems: Sequence[Finding]
    url: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`problems` are ranked: the most severe first, of these the one that has lasted longest."""

    checked_at: datetime
    problems: Sequence[Finding]

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def severity(self) -> str:
        """The worst one; "" when all is well."""
        return str(self.problems[0].severity) if self.problems else ""

    @cached_property
    def groups(self) -> list[Group]:
        """The problems by kind, in the order of the first of each."""
        by_kind: dict[str, list[Finding]] = {}
        for problem in self.problems:
            by_kind.setdefault(_kind_of(problem), []).append(problem)
        return [
            Group(
                kind=kind,
                words=_kinds[kind].say(len(found)),
                problems=found,
                url=_kinds[kind].url,
            )
            for kind, found in by_kind.items()
        ]

    @property
    def headline(self) -> str:
        """One line that names every kind and quotes no problem, so that it may be shown to anybody."""
        if self.ok:
            return _("Nothing is wrong now")
        return " · ".join(group.words for group in self.groups)

    @property
    def counts(self) -> dict[str, int]:
        """Problems by kind, with those that have none."""
        found = Counter(map(_kind_of, self.problems))
        return {kind: found[kind] for kind in _kinds}

    def as_dict(self) -> dict[str, Any]:
        """For machines; quotes no problem."""
        kinds = {kind: count for kind, count in self.counts.items() if count}
        return {
            "ok": self.ok,
            "severity": self.severity,
            "problems": len(self.problems),
            "kinds": kinds,
        }


def verdict(now: datetime) -> Verdict:
    """Judge by the state of every job and node and by every registered check that pages can afford."""
    found = dict.fromkeys(_found(now))
    return Verdict(checked_at=now, problems=tuple(sorted(found, key=_rank)))


def _found(now: datetime) -> Iterator[Finding]:
    for problem in (*problems.find(now), *verify.registered(now, for_pages=True)):
        if problem.severity != Severity.INFO:
            yield problem


def _kind_of(problem: Finding) -> str:
    return problem.kind if problem.kind in _kinds else OTHER


def _rank(problem: Finding) -> tuple[Any, ...]:
    return _RANKS[problem.severity], problem.since or LAST, problem.kind, problem.job, problem.text
