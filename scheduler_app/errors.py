"""What can go wrong in the scheduler, whose fault it is and what to do."""

from __future__ import annotations

from collections.abc import Sequence


class SchedulerError(Exception):
    """Base of every error that scheduler_app raises on purpose."""


class ScheduleError(SchedulerError, ValueError):
    """A cron expression, interval, time or zone that cannot be used; the text says what to write."""


class JobFileError(SchedulerError):
    """The job file is not usable; `faults` has every reason, `str()` a line for each."""

    def __init__(self, faults: Sequence[object]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class StaleFileError(SchedulerError):
    """This version of the job file was synced before and then replaced: an old node may not bring it back."""


class UnknownJobError(SchedulerError, LookupError):
    """No job has this id."""


class WatchedJobError(SchedulerError):
    """The job belongs to another scheduler, at which Vigil only looks on: change and start it there."""


class UnknownRunError(SchedulerError, LookupError):
    """No run has this id."""


class RunEndedError(SchedulerError):
    """The run is final already: there is nothing to stop."""


class ForbiddenCallableError(SchedulerError):
    """The callable is neither named by the job file nor in an allowed module (SCHEDULER_ALLOWED_MODULES)."""


class CallableError(SchedulerError):
    """The callable of a job cannot be had: its module does not import, or has no such function."""


class ParameterError(SchedulerError, ValueError):
    """Parameters of a job or of one run do not fit the callable."""


class EditConflictError(SchedulerError):
    """Somebody else saved this job in the meantime: reload and try again."""


class SchedulerRunningError(SchedulerError):
    """SQLite carries one scheduler: another process holds the lock."""


class ChildError(SchedulerError):
    """The process of a run could not be started, or ended before it reported."""


class OpenTransactionError(SchedulerError):
    """The body of a job ended inside a database transaction, which was rolled back."""


class ForkError(SchedulerError):
    """A body in a thread tried to fork the process, which has other threads."""


class NodeGoneError(SchedulerError):
    """This process was silent for longer than its lease; others took over what it held."""


class CeleryAppError(SchedulerError):
    """The Celery app of the setting CELERY_APP cannot be had, or has no broker."""


class BrokerError(SchedulerError):
    """The message broker does not answer; what is due stays in the database until it does."""


class SkipRun(Exception):  # noqa: N818 - not an error: the job says that there was nothing to do
    """Raise it in a job to end the run as SKIPPED with a reason; nothing failed, nobody is told."""


class RunCancelled(BaseException):
    """The run is to end. A job may catch it to clean up, and raises it again; `except Exception` lets it pass.

    Raised by `current_run().check_cancelled()`; in a process of its own at any point of the main thread.
    """
