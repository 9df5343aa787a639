"""Reads the job file: a Python module with `JOBS` and sections for the apps above, such as `CHANNELS`.

Every fault is found in one go. Reading executes the file anew and leaves nothing behind in `sys.modules`, so that a
running process can look at a changed file, and refuse it, without being changed by it.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scheduler_app.closest import suggestion
from scheduler_app.declarations import FieldError, JobDeclaration, clean, contradictions
from scheduler_app.errors import JobFileError
from scheduler_app.texts import cut_line, storable


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing to correct: where, which field, what it says, what is wrong and what to write."""

    where: str
    field: str = ""
    value: str = ""
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: {self.field}" if self.field else self.where
        value = f" {self.value}" if self.value else ""
        return f"{place}{value} {self.problem}. {self.hint}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """A job file without faults. `digest` is of what it says, so that equal files have equal ones."""

    module: str
    path: str
    digest: str
    jobs: tuple[JobDeclaration, ...]
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def channels(self) -> Mapping[str, Any]:
        return self.sections.get("CHANNELS", {})


SectionRule = Callable[[Mapping[str, Any]], Iterable[Fault]]
_sections: dict[str, SectionRule] = {}


def register_section(name: str, rule: SectionRule) -> None:
    """Let an app above own the dict `name` of the file: `rule(raw)` yields its faults."""
    _sections[name] = rule


def load(module: str) -> JobFile:
    """Read the file of the dotted name `module`. Raises JobFileError with every fault."""
    path = path_of(module)
    found = _execute(module, path)
    sections = {name: getattr(found, name, {}) for name in _sections}
    return parse(module, getattr(found, "JOBS", None), sections, path=str(path))


def parse(
    module: str, jobs: Any, sections: Mapping[str, Any] | None = None, *, path: str = ""
) -> JobFile:
    """Validate what a file says. Raises JobFileError with every fault."""
    faults: list[Fault] = []
    declared = list(_declarations(jobs, faults))
    faults += _doubles(jobs)
    sections = dict(sections or {})
    for name, raw in sections.items():
        faults += _section_faults(name, raw)
    if faults:
        raise JobFileError(faults)
    text = json.dumps(
        [[job.as_dict() for job in declared], {k: v for k, v in sections.items() if v}],
        sort_keys=True, default=str,
    )  # fmt: skip
    return JobFile(
        module=module,
        path=path,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        jobs=tuple(declared),
        sections=sections,
    )


def path_of(module: str) -> Path:
    hint = "VIGIL_SCHEDULER['JOB_FILE'] names it, as 'project.scheduler_config'."
    try:
        spec = find_spec(module) if module else None
    except (Exception, SystemExit) as error:  # it imports the packages around the file
        raise JobFileError(
            [Fault(where=module, problem=f"cannot be found: {error}", hint=hint)]
        ) from error
    if spec is None or not spec.origin:
        fault = Fault(where=module or "job file", problem="does not exist", hint=hint)
        raise JobFileError([fault])
    return Path(spec.origin)


def _execute(module: str, path: Path) -> types.ModuleType:
    found = types.ModuleType(module)
    found.__file__ = str(path)
    found.__package__ = module.rpartition(".")[0]
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        exec(code, found.__dict__)  # noqa: S102 - the team's own job file, as an import would
    except SyntaxError as error:
        elsewhere = f"{error.filename}, " if error.filename != str(path) else ""
        problem = f"{elsewhere}line {error.lineno}: {error.msg}"
        raise JobFileError([_unreadable(module, problem)]) from error
    except (Exception, SystemExit) as error:  # the file may do anything
        problem = storable(f"{type(error).__name__}: {error}", 2000)
        raise JobFileError([_unreadable(module, problem)]) from error
    return found


def _unreadable(module: str, problem: str) -> Fault:
    return Fault(where=module, problem=f"cannot be read: {problem}", hint="Correct the file.")


def _declarations(jobs: Any, faults: list[Fault]) -> Iterator[JobDeclaration]:
    if not isinstance(jobs, list | tuple):
        hint = "Write JOBS = [{'id': ..., ...}, ...]."
        faults.append(Fault(where="JOBS", problem="is not a list", hint=hint))
        return
    for number, entry in enumerate(jobs, start=1):
        where = f"JOBS entry {number}"
        if not isinstance(entry, Mapping):
            faults.append(Fault(where=where, problem="is not a dict", hint="Write {'id': ...}."))
            continue
        if isinstance(entry.get("id"), str):
            where = f"job {cut_line(entry['id'], 100)}"
        found = list(_faults_of(where, entry))
        faults += found
        if not found:
            yield JobDeclaration(**{name: clean(name, value) for name, value in entry.items()})


def _faults_of(where: str, entry: Mapping[str, Any]) -> Iterator[Fault]:
    for name in JobDeclaration.REQUIRED:
        if name not in entry:
            yield Fault(where=where, field=name, problem="is missing", hint="Every job has one.")
    values = {}
    for name, value in entry.items():
        if name not in JobDeclaration.FIELDS:
            yield Fault(where=where, field=str(name), problem="is no field", hint=_closest(name))
            continue
        try:
            values[name] = clean(name, value)
        except FieldError as error:
            yield _fault(where, name, entry, error)
    for name, contradiction in contradictions(values):
        if name in values or name not in entry:  # what is wrong by itself has been told
            yield _fault(where, name, entry, contradiction)


def _fault(where: str, name: str, entry: Mapping[str, Any], error: FieldError) -> Fault:
    value = _shown(entry[name]) if name in entry else ""
    return Fault(where=where, field=name, value=value, problem=str(error), hint=error.hint)


def _closest(name: Any) -> str:
    known = JobDeclaration.FIELDS
    return suggestion(name, known) or f"Fields: {', '.join(known)}."


def _shown(value: Any) -> str:
    return storable(cut_line(_short.repr(value), 80), 400)


_short = reprlib.Repr()
"""Never looks at more of a value than is shown, and bears values that cannot show themselves."""
_short.maxstring = _short.maxother = 80


def _doubles(jobs: Any) -> Iterator[Fault]:
    entries = (
        [job for job in jobs if isinstance(job, Mapping)] if isinstance(jobs, list | tuple) else []
    )
    ids = Counter(job["id"] for job in entries if isinstance(job.get("id"), str))
    for job_id in (job_id for job_id, count in ids.items() if count > 1):
        where = f"job {cut_line(job_id, 100)}"
        yield Fault(where=where, problem="is declared twice", hint="Give one another id.")


def _section_faults(name: str, raw: Any) -> Iterable[Fault]:
    if not isinstance(raw, Mapping) or not all(isinstance(v, Mapping) for v in raw.values()):
        return [Fault(where=name, problem="is not a dict of dicts", hint=f"{name} = {{...}}.")]
    return _sections[name](raw) if name in _sections else ()
