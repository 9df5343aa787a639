"""The job file as Python, with the values in force."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from scheduler_app.declarations import JobDeclaration
from scheduler_app.jobfile import JobFile
from scheduler_app.masking import shown
from scheduler_app.models import ScheduledJob
from scheduler_app.states import JobState

INDENT = "    "
LONGEST = 70


def as_python(file: JobFile, *, with_secrets: bool = False) -> str:
    """A module that says what the database has of `file`: fields that are not at their default, and all sections.

    Comments and computed values of the file are not kept. Masked secrets make a file that no sync accepts.
    """
    conceal: Callable[[Any], Any] = dict if with_secrets else shown
    declared = _in_force(file)
    lines = ['"""The jobs of this site, as they are in force."""', ""]
    lines += ["from __future__ import annotations", "", "JOBS = ["]
    for job in declared:
        lines += [f"{INDENT}{{", *_items(conceal(_told(job)), 2), f"{INDENT}}},"]
    lines.append("]")
    for name, section in file.sections.items():
        lines += ["", f"{name} = {{"]
        lines += _items(conceal(section), 1)
        lines.append("}")
    return "\n".join(lines) + "\n"


def _in_force(file: JobFile) -> list[JobDeclaration]:
    """The registered jobs of the file in its order; one that is not registered yet as the file has it."""
    rows = ScheduledJob.objects.filter(source=file.module).exclude(state=JobState.ORPHANED)
    known = {job.pk: job for job in rows}
    found = [declaration_of(known.pop(job.id)) if job.id in known else job for job in file.jobs]
    return found + [declaration_of(known[job_id]) for job_id in sorted(known)]


def declaration_of(job: ScheduledJob) -> JobDeclaration:
    return JobDeclaration(**{name: getattr(job, name) for name in JobDeclaration.FIELDS})


def _told(job: JobDeclaration) -> dict[str, Any]:
    values = job.as_dict()
    return {
        one.name: values[one.name]
        for one in fields(JobDeclaration)
        if one.name in JobDeclaration.REQUIRED or values[one.name] != _default(one)
    }


def _default(one: Any) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _items(values: Mapping[str, Any], depth: int) -> Iterator[str]:
    for name, value in values.items():
        yield f"{INDENT * depth}{literal(name)}: {literal(value, depth)},"


def literal(value: Any, depth: int = 0) -> str:
    """`value` (of JSON's kinds) as a person would write it in Python, on several lines where one is too long."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\x7f")
    if isinstance(value, Mapping):
        return _joined(
            "{}", [f"{literal(k)}: {literal(v, depth + 1)}" for k, v in value.items()], depth
        )
    if isinstance(value, Sequence):
        return _joined("[]", [literal(each, depth + 1) for each in value], depth)
    return repr(value)


def _joined(brackets: str, parts: Sequence[str], depth: int) -> str:
    line = f"{brackets[0]}{', '.join(parts)}{brackets[1]}"
    if len(line) <= LONGEST and "\n" not in line:
        return line
    inner = "".join(f"{INDENT * (depth + 1)}{part},\n" for part in parts)
    return f"{brackets[0]}\n{inner}{INDENT * depth}{brackets[1]}"
