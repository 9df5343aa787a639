from __future__ import annotations

import io
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app import channel_states, fan_out, recipients
from notifications_app.models import AlertNotification, ChannelTally, GatewayTally
from project.demo import loading
from project.demo.errors import DemoError
from scheduler_app import claims, epochs, jobfile, ledger, mirror, parameters, runner, selectors
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.models import (
    DurationTally,
    JobRun,
    LastRun,
    RunTally,
    ScheduledJob,
    ScheduleEpoch,
    Timetable,
)
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.states import FAILED_STATES, RunState
from tests.factories import declaration, make_job, make_node, make_user, start_run

pytestmark = pytest.mark.django_db


def everything() -> dict[str, list[Any]]:
    """Every row of every table but the lags, which are counted for all jobs together."""
    return {
        model._meta.label: []
        if model is DurationTally
        else sorted(map(repr, model._default_manager.values_list()))
        for model in apps.get_models()
    } | {"durations": sorted(map(repr, DurationTally.objects.exclude(kind="lag").values_list()))}


def finished(run: JobRun, state: RunState, error: str = "") -> RunResult:
    return RunResult(
        run_id=run.pk, token=run.token, state=state, started_at=db_now(),
        finished_at=db_now(), duration_ms=5, error=error,
    )  # fmt: skip


@pytest.fixture
def real():
    """A site with a job, a failed run, its alert and figures."""
    channel_states.ensure()
    make_user("olga")
    make_job("nightly")
    ledger.finish([finished(start_run("nightly"), RunState.FAILED, "boom")])


def test_demo_leaves_no_trace(real):
    before = everything()
    loading.load(days=3)
    assert everything() != before
    loading.remove()
    assert everything() == before


def test_demo_that_ran_leaves_no_trace_either(real, django_capture_on_commit_callbacks):
    before = everything()
    with django_capture_on_commit_callbacks(execute=True):
        loading.load(days=3)
        node = make_node()
        for job_id, state in (
            ("demo.price_feed", RunState.FAILED),
            ("demo.sync_stock", RunState.FAILED),
        ):
            ledger.finish([finished(start_run(job_id, node, job_id), state, "boom")])
        claims.request_run(mirror.get("demo.mail_digest"))
        mirror.edit("demo.sync_stock", {"cron": "13 * * * *"}, by="olga")
    loading.remove()
    node.delete()
    assert everything() == before


def test_real_figures_stay_as_they_are_while_the_demo_is_there(real):
    def figures() -> list[Any]:
        models = (RunTally, DurationTally, ChannelTally, GatewayTally, AlertNotification)
        rows = [sorted(map(repr, model.objects.values_list())) for model in models]
        return [[row for row in each if "demo." not in row] for each in rows]

    before = figures()
    loading.load(days=3)
    assert figures() == before


def test_second_load_changes_nothing(real):
    loading.load(days=3)
    before = everything()
    assert loading.load(days=30) == loading.Loaded()
    assert everything() == before


def test_dry_run_writes_nothing_and_counts_the_same(real):
    before = everything()
    would = loading.load(days=3, dry_run=True)
    assert everything() == before
    assert would == loading.load(days=3)
    assert would.jobs == 6
    before = everything()
    counts = loading.remove(dry_run=True)
    assert everything() == before
    assert counts == loading.remove()


def test_figures_equal_the_rows():
    loading.load(days=3)
    rows: Counter[tuple[Any, ...]] = Counter()
    lengths: Counter[str] = Counter()
    for run in JobRun.objects.all():
        for hour in (ALL_TIME, run.finished_at.replace(minute=0, second=0, microsecond=0)):
            rows[run.job_id, hour, run.state] += run.slot_count
        lengths[run.job_id] += run.duration_ms is not None
    tallies = {
        (tally.job, tally.hour, tally.state): tally.total for tally in RunTally.objects.all()
    }
    assert tallies == dict(rows)
    cells: Counter[str] = Counter()
    for cell in DurationTally.objects.filter(hour=ALL_TIME, kind="duration"):
        cells[cell.job] += cell.total
    assert cells == lengths


def test_every_slot_of_the_past_has_its_row():
    loading.load(days=3)
    for span in ScheduleEpoch.objects.filter(reason=loading.REASON):
        schedule = epochs.schedule_of(span.definition, span.opened_at)
        covered = sum(run.slot_count for run in JobRun.objects.filter(epoch=span.pk))
        assert covered == schedule.count(span.opened_at, span.closed_at).count > 0


def test_past_and_present_meet_without_a_gap():
    loading.load(days=3)
    for job in ScheduledJob.objects.filter(enabled=True):
        past, present = ScheduleEpoch.objects.filter(job=job).order_by("opened_at")
        assert past.closed_at == present.opened_at
        assert present.closed_at is None


def test_month_has_everything_there_is_to_see():
    begin = time.monotonic()
    loaded = loading.load(days=30)
    assert time.monotonic() - begin < 30
    assert loaded.runs > 8000
    assert loaded.alerts > 10
    states = Counter(JobRun.objects.values_list("state", flat=True))
    assert set(states) == {RunState.SUCCESS, RunState.FAILED, RunState.SKIPPED, RunState.MISSED}
    assert 0.85 < states[RunState.SUCCESS] / states.total() < 0.99
    line = selectors.figures(db_now())["demo.nightly_report"]
    assert line.percentile_ms(0.95) > 120_000
    assert JobRun.objects.filter(finished_at__gt=db_now()).count() == 0


def test_last_runs_are_the_last_ones():
    loading.load(days=3)
    for last in LastRun.objects.all():
        runs = JobRun.objects.filter(job_id=last.job_id)
        newest = runs.filter(state__in=[RunState.SUCCESS, *FAILED_STATES]).latest("finished_at")
        assert (last.run, last.state) == (newest.pk, newest.state)
        failed = runs.filter(state__in=FAILED_STATES).order_by("-finished_at").first()
        assert last.failed_at == (failed and failed.finished_at)
        succeeded = runs.filter(state=RunState.SUCCESS).latest("finished_at")
        assert last.succeeded_at == succeeded.finished_at


def test_alerts_are_those_that_the_runs_would_have_raised():
    loading.load(days=10)
    (still_open,) = AlertRecord.objects.exclude(open_key=None)
    assert still_open.labels["job_id"] == "demo.price_feed"
    alerting = JobRun.objects.filter(state__in=[RunState.FAILED, RunState.MISSED])
    firings = AlertOccurrence.objects.filter(kind="FIRE").values_list("run", flat=True)
    assert sorted(firings) == sorted(alerting.values_list("pk", flat=True))
    assert AlertRecord.objects.filter(labels__demo=True).count() == AlertRecord.objects.count()
    assert not AlertOccurrence.objects.filter(fan_out_due=True).exists()


def test_nobody_is_told_when_a_demo_job_fails(django_capture_on_commit_callbacks):
    make_user("admin")
    loading.load(days=1)
    with django_capture_on_commit_callbacks(execute=True):
        run = start_run("demo.import_orders")
        ledger.finish([finished(run, RunState.FAILED, "boom")])
    assert AlertOccurrence.objects.filter(run=run.pk, notifies=True).exists()
    while fan_out.fan_out_due(at_once_only=False, limit=50)[0]:
        pass
    assert not AlertNotification.objects.exists()


def test_person_of_the_demo_cannot_log_in_and_is_the_owner():
    loading.load(days=1)
    person = get_user_model().objects.get(username="demo")
    assert not person.has_usable_password()
    assert recipients.resolve("demo") == [person]
    assert recipients.problem_of("demo") == ""


def test_somebody_else_called_demo_is_not_touched(client):
    make_user("demo", email="demo@example.com")
    with pytest.raises(DemoError, match="rename"):
        loading.load(days=1)
    loading.remove()
    signed_in = client.post("/login/", {"username": "demo", "password": "secret-pass"})
    assert signed_in.status_code == 302
    assert not ScheduledJob.objects.exists()


def test_job_of_the_team_with_the_same_id_is_not_touched():
    mirror.sync(jobfile.parse("team.jobs", [declaration("demo.sync_stock")]))
    with pytest.raises(DemoError, match=r"demo\.sync_stock"):
        loading.load(days=1)
    loading.remove()
    assert ScheduledJob.objects.get().source == "team.jobs"


def test_sync_of_the_real_file_leaves_the_demo_alone():
    loading.load(days=1)
    report = mirror.sync(jobfile.load("project.scheduler_config"))
    assert report.orphaned == []
    assert Timetable.objects.get(pk="demo.sync_stock").next_run_time is not None


LIVE = {
    "demo.import_orders": RunState.SUCCESS,
    "demo.sync_stock": RunState.SUCCESS,
    "demo.nightly_report": RunState.SUCCESS,
    "demo.mail_digest": RunState.SKIPPED,
    "demo.price_feed": RunState.FAILED,
    "demo.legacy_export": RunState.SUCCESS,
}


@pytest.mark.parametrize(("job_id", "state"), LIVE.items())
def test_demo_jobs_run_under_the_scheduler(job_id, state):
    loading.load(days=1)
    job = mirror.get(job_id)
    parameters.check(job.module, job.callable, job.args, job.kwargs, job.params_schema)
    if "seconds" in job.kwargs or job.callable == "be_slow":
        job.kwargs = {**job.kwargs, "seconds": 0.02}
    (task,) = claims.taken(start_run(job_id).token)
    task = replace(task, kwargs=job.kwargs)
    result = runner.wrap_job_callable(task, runner.handle_of(task))()
    assert (result.state, result.error == "") == (state, state == RunState.SUCCESS)


def command(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("load_demo", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_command_loads_says_so_and_removes(real):
    before = everything()
    assert "Added 6 jobs" in command("--days", "1")[1]
    assert "loaded already" in command("--days", "1")[1]
    out, err = command("--remove")
    assert "runs" in out
    assert "are removed" in err
    assert everything() == before
    assert "0 rows" in command("--remove")[1]


@pytest.mark.parametrize("days", ["0", "91", "-1"])
def test_length_of_the_history_is_bounded(days):
    with pytest.raises(CommandError, match="from 1 to 90") as caught:
        command("--days", days)
    assert caught.value.returncode == 2


def test_history_reaches_as_far_back_as_was_asked():
    loading.load(days=2)
    first = JobRun.objects.earliest("slot")
    assert timedelta(days=2) >= db_now() - first.slot > timedelta(days=1, hours=23)
