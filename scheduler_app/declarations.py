"""One entry of `JOBS`: its fields, their defaults and what each may hold (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from scheduler_app import field_rules as rules
from scheduler_app import params_schema
from scheduler_app.field_rules import FieldError
from scheduler_app.states import DstFold, DstGap, Isolation, OnLost, OnMissed, Overlap, Severity

ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
MANAGEMENT = "management:"
"""What the callable begins with where it is a command of manage.py, such as `management:clearsessions`."""
CALLABLE = re.compile(rf"[^\W\d]\w*|{MANAGEMENT}[a-zA-Z0-9][\w-]*")

__all__ = ["FieldError", "JobDeclaration", "clean", "contradictions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeclaration:
    """A valid entry of `JOBS`. Lengths in seconds; `cron` is canonical (see timetable.py)."""

    id: str
    name: str
    module: str = ""
    callable: str
    cron: str
    owner: str
    category: str
    description: str
    enabled: bool = True
    timezone: str = ""
    dst_gap: str = DstGap.RUN_AFTER
    dst_fold: str = DstFold.ONCE
    calendar: str = ""
    blackouts: list[str] = field(default_factory=list)
    jitter_s: float = 0.0
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    params_schema: dict[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None
    isolation: str = ""
    memory_mb: int | None = None
    max_instances: int = 1
    overlap: str = Overlap.SKIP
    grace_s: float | None = None
    on_missed: str = OnMissed.LATEST
    max_catch_up: int = 1
    max_retries: int = 0
    retry_backoff_s: float = 60.0
    retry_on: list[str] = field(default_factory=list)
    on_lost: str = OnLost.ALERT
    queue: str = "default"
    severity: str = Severity.ERROR
    expected_s: float | None = None
    tags: list[str] = field(default_factory=list)
    keep_successes_days: int | None = None
    keep_failures_days: int | None = None

    FIELDS: ClassVar[tuple[str, ...]]
    REQUIRED: ClassVar[tuple[str, ...]]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values by field."""
        return {name: _plain(value) for name, value in asdict(self).items()}


JobDeclaration.FIELDS = tuple(one.name for one in fields(JobDeclaration))
JobDeclaration.REQUIRED = tuple(
    one.name
    for one in fields(JobDeclaration)
    if one.default is MISSING and one.default_factory is MISSING
)


def clean(name: str, value: Any) -> Any:
    """The value of field `name` as it is stored. Raises FieldError."""
    return RULES[name](value)


def contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, FieldError]]:
    """Fields of an entry that do not go together, by field; `values` are the clean ones."""
    is_command = str(values.get("callable", "")).startswith(MANAGEMENT)
    if is_command and values.get("module"):
        hint = _("Leave it out: a management command has none.")
        yield "module", FieldError(str(_("is not empty")), hint)
    if not is_command and not values.get("module"):
        yield "module", FieldError(str(_("is missing")), _("Every job has one."))
    for problem in params_schema.faults(values.get("params_schema", {}), values.get("kwargs", {})):
        hint = _("params_schema of this job says so: correct one of the two.")
        yield "kwargs", FieldError(problem, hint)
    yield from isolation_faults(values)


def isolation_faults(values: Mapping[str, Any]) -> Iterator[tuple[str, FieldError]]:
    """A body in a thread cannot be ended, nor can its memory be limited."""
    if values.get("isolation") != Isolation.THREAD:
        return
    needs = [name for name in ("timeout_s", "memory_mb") if values.get(name) is not None]
    if values.get("overlap") == Overlap.REPLACE:
        needs.append("overlap")
    for name in needs:
        problem = _("%(field)s needs a process of its own") % {"field": name}
        hint = _("Write 'isolation': 'process', or leave isolation or %(field)s out.")
        yield "isolation", FieldError(problem, hint % {"field": name})


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


RULES: Mapping[str, Callable[[Any], Any]] = {
    "id": rules.matching(
        ID, _("Lower-case letters, digits, dot, dash and underscore; at most 100 of them.")
    ),
    "name": rules.text(200),
    "module": rules.module,
    "callable": rules.matching(
        CALLABLE,
        _("Write the name of a function in the module, or 'management:NAME' for a command."),
        longest=200,
    ),
    "cron": rules.cron,
    "owner": rules.text(150),
    "category": rules.text(100),
    "description": rules.text(5000, empty=True),
    "enabled": rules.flag,
    "timezone": rules.zone,
    "dst_gap": rules.one_of(DstGap.values),
    "dst_fold": rules.one_of(DstFold.values),
    "calendar": rules.calendar,
    "blackouts": rules.windows,
    "jitter_s": rules.seconds(0, optional=False),
    "args": rules.json_value(list, "list"),
    "kwargs": rules.kwargs,
    "params_schema": rules.json_schema,
    "timeout_s": rules.seconds(0.1),
    "isolation": rules.one_of(Isolation.values, empty=True),
    "memory_mb": rules.whole(16, 1_048_576, optional=True),
    "max_instances": rules.whole(1, 1000),
    "overlap": rules.one_of(Overlap.values),
    "grace_s": rules.seconds(1),
    "on_missed": rules.one_of(OnMissed.values),
    "max_catch_up": rules.whole(1, 1000),
    "max_retries": rules.whole(0, 100),
    "retry_backoff_s": rules.seconds(0, optional=False),
    "retry_on": rules.exceptions,
    "on_lost": rules.one_of(OnLost.values),
    "queue": rules.matching(rules.TAG, _("Letters, digits, dot, dash and underscore; at most 50.")),
    "severity": rules.one_of(Severity.values),
    "expected_s": rules.seconds(0),
    "tags": rules.tags,
    "keep_successes_days": rules.whole(1, 36_500, optional=True),
    "keep_failures_days": rules.whole(1, 36_500, optional=True),
}
