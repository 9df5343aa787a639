"""The one thread that stores results goes on, whatever one of them is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler_app import claims
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun
from scheduler_app.result_writer import ResultWriter
from scheduler_app.states import RunState
from tests.factories import make_job, make_node
from tests.jobs import Unshowable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def results():
    """Results of twenty runs that are RUNNING."""
    job = make_job("a", overlap="parallel")
    for _ in range(20):
        claims.request_run(job)
    return [
        RunResult(
            run_id=run.run_id,
            token="t",
            state=RunState.SUCCESS,
            started_at=db_now(),
            finished_at=db_now(),
            duration_ms=1.0,
        )
        for run in claims.take(make_node().pk, "t", 20)
    ]


def write(results) -> None:
    """Through the thread, as a node does it."""
    writer = ResultWriter()
    for result in results:
        writer.put(result)
    writer.start()
    assert writer.stop(timeout_s=20)
    assert writer.pending == set()


def states() -> list[str]:
    return list(JobRun.objects.order_by("pk").values_list("state", flat=True))


def test_results_are_stored(results):
    write(results)
    assert states() == ["SUCCESS"] * 20


def test_text_that_cannot_be_stored_costs_only_itself(results):
    results[7] = replace(results[7], result=Unshowable())  # type: ignore[arg-type]
    write(results)
    assert states() == ["SUCCESS"] * 20
    assert "could not be stored" in JobRun.objects.get(pk=results[7].run_id).error


def test_result_that_cannot_be_stored_at_all_holds_up_no_other(results):
    results[7] = replace(results[7], duration_ms="long")  # type: ignore[arg-type]
    write(results)
    assert states().count("SUCCESS") == 19
    assert JobRun.objects.get(pk=results[7].run_id).state == RunState.RUNNING
