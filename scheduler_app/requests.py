"""Runs that people ask for: checked against the callable, then queued for a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from scheduler_app import callables, claims, ledger, mirror
from scheduler_app.errors import ParameterError
from scheduler_app.models import JobRun
from scheduler_app.states import JobState


def run_now(job_id: str, *, params: Mapping[str, Any] | None = None, requested_by: str) -> JobRun:
    """Queue a run of `job_id` with `params` over its named arguments; a disabled job may be run, too.

    Raises UnknownJobError, ForbiddenCallableError, CallableError, and ParameterError when the callable does not take
    the parameters or the job is no longer in its file.
    """
    job = mirror.get(job_id)
    if job.state == JobState.ORPHANED:
        text = _("%(job)s is no longer in %(source)s: there is nothing to call.")
        raise ParameterError(text % {"job": job_id, "source": job.source})
    function = callables.resolve(job.module, job.callable)
    callables.check_parameters(function, job.args, {**job.kwargs, **(params or {})})
    return claims.request_run(
        job, params=dict(params) if params else None, requested_by=requested_by
    )


def cancel(run_id: int, *, by: str) -> JobRun:
    """End a queued run at once; ask the node of a running one to stop it, which takes seconds.

    A run in a process of its own is ended; one in a thread ends when it looks (`current_run().check_cancelled()`).
    Raises UnknownRunError, and RunEndedError when there is nothing to cancel any more.
    """
    return ledger.cancel(run_id, by=by)
