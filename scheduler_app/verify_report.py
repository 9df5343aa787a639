"""What a verification found: as data, as Markdown, and kept in the project's documents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from scheduler_app import conf, documents
from scheduler_app.states import Severity

LOG_HEADER = """# Burn-down tracking log

One line for each verification that was kept (`manage.py verify_jobs --log`), the newest first.
"""
ENTRY = re.compile(r"^- \d{4}-\d\d-\d\d ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be, or (among the notes) that is good to know.

    `kind` groups what has one cause: callable, signature, schedule, owner, calendar, registration, timetable, node, ...
    `since` is when it began, `count` how often it happened in a row, `url` the page about it, `owner` whom it concerns.
    One of severity INFO is shown by `verify_jobs` and left out of the verdict.
    """

    kind: str
    text: str
    job: str = ""
    hint: str = ""
    severity: Severity = Severity.WARNING
    since: datetime | None = None
    count: int = 1
    url: str = ""
    owner: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (f"{self.job}:" if self.job else "", self.text, self.hint)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Finding):
    """What a check found that is good to know and asks for nothing: it stays out of the verdict."""

    severity: Severity = Severity.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedJob:
    """A job of the file as it is in force; `next_run_at` None: never."""

    id: str
    name: str
    owner: str
    cron: str
    timezone: str
    enabled: bool
    next_run_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Report:
    """`findings` are to be dealt with, `notes` are not; without findings all is well."""

    checked_at: datetime
    job_file: str
    digest: str
    offline: bool
    jobs: list[CheckedJob] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.findings

    def find(self, findings: Iterable[Finding]) -> None:
        """Add `findings`, each once: the file and the database often have the same fault. A Note is among the notes."""
        found = dict.fromkeys(findings)
        self.findings += [one for one in found if not isinstance(one, Note)]
        self.notes += [one for one in found if isinstance(one, Note)]

    def note(self, notes: Iterable[Finding]) -> None:
        self.notes += dict.fromkeys(notes)

    def as_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def markdown(report: Report) -> str:
    """The report as a document."""
    lines = [
        f"# {_('Verification of the scheduled jobs')}",
        "",
        f"{report.checked_at:%Y-%m-%d %H:%M:%S} UTC, {report.job_file} {report.digest[:12]}: {summary(report)}",
        *_table(_("Findings"), finding_columns(), map(finding_cells, report.findings)),
        *_table(_("Jobs"), job_columns(), map(job_cells, report.jobs)),
        *_table(_("Notes"), finding_columns(), map(finding_cells, report.notes)),
    ]
    return "\n".join(lines) + "\n"


def summary(report: Report) -> str:
    """One line: how many jobs, and whether all is well."""
    counts = {"jobs": len(report.jobs), "findings": len(report.findings)}
    if report.ok:
        return _("%(jobs)d jobs, all well") % counts
    return _("%(jobs)d jobs, %(findings)d findings") % counts


def finding_columns() -> tuple[str, ...]:
    return (_("kind"), _("job"), _("what"), _("what to do"))


def job_columns() -> tuple[str, ...]:
    return (_("job"), _("owner"), _("schedule"), _("time zone"), _("enabled"), _("next run (UTC)"))


def finding_cells(one: Finding) -> tuple[str, ...]:
    return (one.kind, one.job, one.text, one.hint)


def job_cells(job: CheckedJob) -> tuple[str, ...]:
    due = f"{job.next_run_at:%Y-%m-%d %H:%M:%S}" if job.next_run_at else "–"
    enabled = _("yes") if job.enabled else _("no")
    return (job.id, job.owner, job.cron, job.timezone, enabled, due)


def keep(report: Report) -> Path:
    """Archive the report under VERIFY_ARCHIVE and write a dated line into VERIFY_LOG; returns the archived file."""
    folder = documents.path_of(conf.get().VERIFY_ARCHIVE)
    folder.mkdir(parents=True, exist_ok=True)
    archived = folder / f"{report.checked_at:%Y-%m-%dT%H%M%S}Z.md"
    archived.write_text(markdown(report), encoding="utf-8")
    line = f"- {report.checked_at:%Y-%m-%d %H:%M} UTC: {summary(report)} (`{archived.name}`)"
    documents.edit(documents.path_of(conf.get().VERIFY_LOG), lambda text: _with_line(text, line))
    return archived


def _with_line(text: str, line: str) -> str:
    """`line` above the newest entry, or below all that stands there."""
    text = text or LOG_HEADER
    if newest := ENTRY.search(text):
        return f"{text[: newest.start()]}{line}\n{text[newest.start() :]}"
    return f"{text.rstrip()}\n\n{line}\n"


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [documents.row(row) for row in rows]
    if not lines:
        return []
    rule = documents.row(["---"] * len(columns))
    return ["", f"## {title}", "", documents.row(columns), rule, *lines]
