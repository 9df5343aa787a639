"""The risk register: a table in a document that people go on editing by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alerts_app import conf
from scheduler_app import documents, mirror
from scheduler_app.models import LastRun
from scheduler_app.texts import storable

COLUMNS = ("ID", "Date", "Job", "Owner", "What happened", "Status")
HEADER = f"""# Risk register

What went wrong, whose it is, and where it stands. `manage.py risk_register add --job ID` adds a row; the status is
kept up by hand.

{documents.row(COLUMNS)}
{documents.row(["---"] * len(COLUMNS))}
"""
ROW = re.compile(r"^\|\s*R-(\d+)\s*\|.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One row of the register; `date` as it stands there, like 2026-11-24."""

    id: str
    date: str
    job: str
    owner: str
    text: str
    status: str

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.id, self.date, self.job, self.owner, self.text, self.status)


def path() -> Path:
    return documents.path_of(conf.get().RISK_REGISTER)


def add(job_id: str, *, now: datetime, text: str = "") -> Risk:
    """Append a row for the job, with its owner and its last error. Raises UnknownJobError, OSError."""
    job = mirror.get(job_id)
    last = LastRun.objects.filter(pk=job_id).first()
    said = [text.strip(), f"last error: {last.error}" if last and last.error else ""]
    what = storable("; ".join(filter(None, said)) or "no error is known", 2000)
    added: list[Risk] = []

    def change(document: str) -> str:
        number = max((int(row[1]) for row in ROW.finditer(document)), default=0) + 1
        added.append(
            Risk(
                id=f"R-{number:03}",
                date=f"{now:%Y-%m-%d}",
                job=job.pk,
                owner=job.owner,
                text=what,
                status="open",
            )
        )
        return _with_row(document or HEADER, documents.row(added[0].cells))

    documents.edit(path(), change)
    return added[0]


def all_risks() -> list[Risk]:
    """The rows in the order of the document; none where there is no document yet."""
    if not path().exists():
        return []
    rows = (documents.cells_of(row[0]) for row in ROW.finditer(path().read_text(encoding="utf-8")))
    return [_risk([*row, *[""] * len(COLUMNS)]) for row in rows]


def _risk(cells: list[str]) -> Risk:
    names = ("id", "date", "job", "owner", "text", "status")
    return Risk(**dict(zip(names, cells, strict=False)))


def _with_row(document: str, row: str) -> str:
    """`row` below the last one of the table, or a table of its own at the end."""
    lines = document.rstrip("\n").split("\n")
    rule = documents.row(["---"] * len(COLUMNS))
    ends = [n for n, line in enumerate(lines) if ROW.match(line) or line.strip() == rule]
    if ends:
        lines.insert(ends[-1] + 1, row)
    else:
        lines += ["", documents.row(COLUMNS), rule, row]
    return "\n".join(lines) + "\n"
