"""What people ask of runs: one outside the schedule, checked and queued for a node; or that one should stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from scheduler_app import claims, ledger, mirror, parameters
from scheduler_app.clock import db_now
from scheduler_app.declarations import FieldError, clean
from scheduler_app.errors import ParameterError, RunEndedError, UnknownRunError
from scheduler_app.masking import holds_mask
from scheduler_app.models import JobRun
from scheduler_app.states import OPEN_STATES, JobState, Reason


def run_now(job_id: str, *, params: Mapping[str, Any] | None = None, requested_by: str) -> JobRun:
    """Queue a run of `job_id` with `params` over its named arguments; a disabled job may be run, too.

    Raises UnknownJobError, WatchedJobError, ForbiddenCallableError, CallableError, and ParameterError when the callable
    does not take the parameters, `params_schema` does not allow them, or the job is no longer in its file.
    """
    job = mirror.get(job_id)
    mirror.require_ours(job)
    if job.state == JobState.ORPHANED:
        text = _("%(job)s is no longer in %(source)s: there is nothing to call.")
        raise ParameterError(text % {"job": job_id, "source": job.source})
    wanted = _storable(params or {})
    parameters.check(
        job.module, job.callable, job.args, {**job.kwargs, **wanted}, job.params_schema
    )
    return claims.request_run(job, params=wanted or None, requested_by=requested_by)


def cancel(run_id: int, *, by: str, reason: Reason = Reason.BY_PERSON) -> JobRun:
    """Stop a run: a queued one is CANCELLED at once, a running one is asked to, and ends when its node has seen to it.

    Raises UnknownRunError, and RunEndedError when it is final already.
    """
    now = db_now()
    is_cancelled = ledger.cancel_queued(run_id, by=by, reason=reason, now=now)
    if not is_cancelled:
        asked = JobRun.objects.running().filter(pk=run_id, cancel_at=None)
        asked.update(cancel_at=now, cancel_by=by[:150])
    run = JobRun.objects.filter(pk=run_id).first()
    if run is None:
        raise UnknownRunError(_("There is no run %(run)s.") % {"run": run_id})
    if not is_cancelled and run.state not in OPEN_STATES:
        facts = {"run": run_id, "state": run.get_state_display()}
        raise RunEndedError(_("Run %(run)s has ended already: %(state)s.") % facts)
    return run


def _storable(params: Mapping[str, Any]) -> dict[str, Any]:
    if holds_mask(params):
        text = _("“***” stands for a secret that is not shown: write the value itself.")
        raise ParameterError(text)
    try:
        return dict(clean("kwargs", dict(params)))
    except FieldError as error:
        raise ParameterError(f"{error}. {error.hint}") from None
