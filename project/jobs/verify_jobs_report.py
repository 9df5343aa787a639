"""The weekly verification: kept as a report, and a failure when there is something to deal with."""

from __future__ import annotations

from typing import Any

from scheduler_app import problems, verify_report
from scheduler_app.clock import db_now
from scheduler_app.verify import verify


class FindingsError(Exception):
    """The verification found something; the text has each finding."""


def report() -> dict[str, Any]:
    """Verify all jobs, write the tracking log, archive the report. Raises FindingsError, and JobFileError.

    Runs that failed or were missed are in the report and no reason to fail: they raised alerts of their own, and this
    job, once failed, would be such a finding itself.
    """
    found = verify(db_now())
    archived = verify_report.keep(found)
    told = [one for one in found.findings if one.kind not in problems.FAILURES]
    if told:
        raise FindingsError(f"{archived.name}: " + "; ".join(map(str, told)))
    return {"report": archived.name, "jobs": len(found.jobs), "notes": len(found.notes)}
