"""How a job differs from its file, and who made it so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler_app.masking import mask, shown
from scheduler_app.mirror import FIELDS
from scheduler_app.models import ScheduledJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A field whose value in force is not the file's; `by`, `at` and `why` are empty where nobody changed it here."""

    field: str
    in_file: Any
    in_force: Any
    by: str = ""
    at: datetime | None = None
    why: str = ""


def drift_of(job: ScheduledJob) -> dict[str, tuple[Any, Any]]:
    """(value in the file, value in force) of each field that differs."""
    in_file = _object(job.file_values)
    return {
        name: (in_file[name], getattr(job, name))
        for name in FIELDS
        if name in in_file and in_file[name] != getattr(job, name)
    }


def differences(job: ScheduledJob) -> list[Difference]:
    """As they may be shown: without secrets."""
    return [
        Difference(
            field=name,
            in_file=shown(in_file, name),
            in_force=shown(in_force, name),
            **_change(job, name),
        )
        for name, (in_file, in_force) in drift_of(job).items()
    ]


def _change(job: ScheduledJob, name: str) -> dict[str, Any]:
    note = notes_of(job).get(name, {})
    why = mask(str(note.get("why", "")))
    return {"by": note.get("by", ""), "at": _moment(note.get("at")), "why": why}


def notes_of(job: ScheduledJob) -> dict[str, dict[str, Any]]:
    """Who changed which field, when and why. A row may hold anything: what is no note is an empty one."""
    return {name: _object(note) for name, note in _object(job.overrides).items()}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if value else None
    except (TypeError, ValueError):
        return None
