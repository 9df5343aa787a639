"""What a process knows of a run that it took, and of how it ended there (no models)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from scheduler_app.states import Isolation, Overlap, Reason, RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A run that this process took, with all that it needs to know of the job."""

    run_id: int
    token: str
    job_id: str
    job_name: str
    owner: str
    category: str
    slot: datetime | None
    attempt: int
    module: str
    callable: str
    args: list[Any]
    kwargs: dict[str, Any]
    timeout_s: float | None
    isolation: str
    memory_mb: int | None
    overlap: str
    retry_on: list[str]
    ready_at: datetime
    started_at: datetime
    """Database time of the take."""
    taken_s: float
    """The monotonic clock at the take."""

    @property
    def isolated(self) -> bool:
        """Whether the body runs in a process of its own, as it must where it may have to be ended or limited."""
        return (
            self.isolation == Isolation.PROCESS
            or self.timeout_s is not None
            or self.memory_mb is not None
            or self.overlap == Overlap.REPLACE
        )

    @property
    def fields(self) -> dict[str, Any]:
        """What every log line about this run carries."""
        return {
            "run_id": self.run_id,
            "job_id": self.job_id,
            "job_name": self.job_name,
            "owner": self.owner,
            "category": self.category,
        }


class RunUsage(NamedTuple):
    """What a run used; None where it was not measured (memory of a thread, statements of a killed process)."""

    cpu_s: float | None = None
    """Processor time of the thread, or of the process and those that it waited for."""
    peak_memory_mb: float | None = None
    """The largest resident set of the process (MiB)."""
    queries: int | None = None
    """Statements that the body sent through Django's connections."""


NOT_MEASURED = RunUsage()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a started run ended; every text is already fit to be stored (`texts.storable`)."""

    run_id: int
    token: str
    state: RunState
    started_at: datetime
    """When the body was called."""
    finished_at: datetime
    duration_ms: float
    usage: RunUsage = NOT_MEASURED
    reason: Reason = Reason.NONE
    result: str = ""
    error: str = ""
    traceback: str = ""
    log: str = ""
    may_retry: bool = True
    """Whether the job wants to be tried again after such an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run (or a range of slots) that has just become final: what figures and alerts are told."""

    pk: int
    job_id: str
    state: RunState
    reason: Reason
    slot_count: int
    ready_at: datetime
    started_at: datetime | None
    finished_at: datetime
    duration_ms: float | None
    error: str
    usage: RunUsage = NOT_MEASURED
    next_try: int | None = None
    """The run that tries again: nobody needs to be told yet."""

    @property
    def lag_ms(self) -> float | None:
        if self.started_at is None:
            return None
        return (self.started_at - self.ready_at).total_seconds() * 1000
