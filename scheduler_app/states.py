"""The closed sets of the scheduler, and the moves a run may make."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class RunState(TextChoices):
    """Where a run stands. QUEUED means: certainly not started, and nobody's."""

    QUEUED = "QUEUED", _("queued")
    RUNNING = "RUNNING", _("running")
    SUCCESS = "SUCCESS", _("succeeded")
    FAILED = "FAILED", _("failed")
    TIMEOUT = "TIMEOUT", _("timed out")
    LOST = "LOST", _("lost")
    CANCELLED = "CANCELLED", _("cancelled")
    SKIPPED = "SKIPPED", _("skipped")
    MISSED = "MISSED", _("missed")


OPEN_STATES = (RunState.QUEUED, RunState.RUNNING)
FINAL_STATES = tuple(state for state in RunState if state not in OPEN_STATES)
FAILED_STATES = (RunState.FAILED, RunState.TIMEOUT, RunState.LOST)
"""States that count as failures; MISSED has a figure of its own."""

ALERTING_STATES = (*FAILED_STATES, RunState.MISSED)

MOVES: dict[RunState, tuple[RunState, ...]] = {
    RunState.QUEUED: (RunState.RUNNING, RunState.SKIPPED, RunState.CANCELLED),
    RunState.RUNNING: (
        RunState.QUEUED,  # given back: the body was certainly not called
        RunState.SUCCESS,
        RunState.FAILED,
        RunState.TIMEOUT,
        RunState.LOST,
        RunState.CANCELLED,
        RunState.SKIPPED,
    ),
}


class RunTrigger(TextChoices):
    SCHEDULE = "SCHEDULE", _("schedule")
    MANUAL = "MANUAL", _("by hand")
    RETRY = "RETRY", _("retry")
    WATCHED = "WATCHED", _("another scheduler")


class Reason(TextChoices):
    """Why a run ended as it did, where its state alone does not say it."""

    NONE = "", ""
    GRACE = "GRACE", _("found too late")
    CATCH_UP = "CATCH_UP", _("left out when catching up")
    OVERLAP = "OVERLAP", _("the previous run was still going")
    BY_JOB = "BY_JOB", _("the job had nothing to do")
    SHUTDOWN = "SHUTDOWN", _("the scheduler was stopped")
    NODE_DIED = "NODE_DIED", _("the scheduler died")
    BROKEN = "BROKEN", _("the schedule could not be computed")
    RESULT_LOST = "RESULT_LOST", _("its result could not be stored")
    DISABLED = "DISABLED", _("the job was disabled before it started")
    CALENDAR = "CALENDAR", _("a day on which the job rests")
    BLACKOUT = "BLACKOUT", _("inside a blackout window")
    REPLACED = "REPLACED", _("a newer run took its place")
    BY_PERSON = "BY_PERSON", _("somebody cancelled it")


class SlotState(TextChoices):
    """What is to be said of slots that no row of the ledger covers."""

    MISSING = "MISSING", _("not on record")
    """Must never happen (promise P1)."""
    PRUNED = "PRUNED", _("pruned")
    DUE = "DUE", _("due, not looked at yet")
    UPCOMING = "UPCOMING", _("to come")


class JobState(TextChoices):
    ACTIVE = "ACTIVE", _("active")
    ORPHANED = "ORPHANED", _("no longer in the job file")
    BROKEN = "BROKEN", _("broken")
    WATCHED = "WATCHED", _("run by another scheduler")


class Overlap(TextChoices):
    SKIP = "skip", _("skip")
    QUEUE_ONE = "queue_one", _("queue one")
    REPLACE = "replace", _("replace")
    PARALLEL = "parallel", _("run in parallel")


class Isolation(TextChoices):
    """Where the body of a job runs: in a process of its own, or in a thread of the process that took the run."""

    PROCESS = "process", _("in a process of its own")
    THREAD = "thread", _("in a thread")


class OnMissed(TextChoices):
    SKIP = "skip", _("skip")
    LATEST = "latest", _("run the latest")
    ALL = "all", _("run all")


class DstGap(TextChoices):
    """What happens to a local time that does not exist."""

    RUN_AFTER = "run_after", _("run when the gap ends")
    SKIP = "skip", _("do not run")


class DstFold(TextChoices):
    """What happens to a local time that exists twice."""

    ONCE = "once", _("run once")
    TWICE = "twice", _("run twice")


class OnLost(TextChoices):
    """What follows when a run was lost: its owner is told, or it is tried again first."""

    ALERT = "alert", _("tell the owner")
    RETRY = "retry", _("try again")


class Severity(TextChoices):
    INFO = "INFO", _("info")
    WARNING = "WARNING", _("warning")
    ERROR = "ERROR", _("error")
    CRITICAL = "CRITICAL", _("critical")


class NodeKind(TextChoices):
    SCHEDULER = "SCHEDULER", _("scheduler")
    WORKER = "WORKER", _("notification worker")
    CELERY = "CELERY", _("Celery worker")


class NodeState(TextChoices):
    ALIVE = "ALIVE", _("alive")
    STOPPED = "STOPPED", _("stopped")
    DEAD = "DEAD", _("dead")
