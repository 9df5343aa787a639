from __future__ import annotations

import json
import shutil
import subprocess
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from notifications_app import rollups
from notifications_app.channels import registry
from notifications_app.models import DeliveryAttempt, LaneState
from notifications_app.states import AttemptOutcome
from scheduler_app import exposition, ledger, metrics, recent
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.states import RunState
from tests.factories import declaration, make_job, make_node, start_run, sync

pytestmark = pytest.mark.django_db

FAMILIES = {
    "scheduler_job_duration_ms": "histogram",
    "scheduler_job_last_duration_ms": "gauge",
    "scheduler_job_success": "counter",
    "scheduler_job_failed": "counter",
    "scheduler_job_last_run_timestamp": "gauge",
    "scheduler_job_last_success_timestamp": "gauge",
    "scheduler_job_missed": "counter",
    "scheduler_job_skipped": "counter",
    "scheduler_job_running": "gauge",
    "scheduler_job_next_run_timestamp": "gauge",
    "scheduler_job_enabled": "gauge",
    "scheduler_job_start_lag_ms": "histogram",
    "scheduler_nodes": "gauge",
    "scheduler_last_tick_timestamp": "gauge",
    "scheduler_threads": "gauge",
    "scheduler_threads_busy": "gauge",
    "scheduler_notification_success": "counter",
    "scheduler_notification_failure": "counter",
    "scheduler_notification_gateway_ms": "histogram",
    "scheduler_notification_latency_ms": "histogram",
    "scheduler_notification_workers": "gauge",
    "scheduler_notification_pending": "gauge",
    "scheduler_notification_oldest_due_seconds": "gauge",
    "scheduler_notification_channel_up": "gauge",
    "scheduler_owner_unreachable": "gauge",
}


def finish(job_id: str, state: RunState = RunState.SUCCESS, duration_ms: float = 12.5) -> JobRun:
    run = start_run(job_id)
    result = RunResult(
        run_id=run.pk,
        token=run.token,
        state=state,
        started_at=db_now(),
        finished_at=db_now(),
        duration_ms=duration_ms,
        error="boom" if state != RunState.SUCCESS else "",
    )
    return ledger.finish([result])[0]


def job(job_id: str = "a"):
    return next(one for one in metrics.snapshot(db_now())["jobs"] if one["job_id"] == job_id)


def families():
    return {f.name: f for f in text_string_to_metric_families(metrics.exposition(db_now()))}


def value(name: str, **labels: str) -> float:
    (found,) = [
        sample.value
        for family in families().values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found


def queries_of(call) -> int:
    with CaptureQueriesContext(connection) as captured:
        call(db_now())
    return len(captured)


def count_attempt(outcome: AttemptOutcome, channel: str = "EMAIL", gateway_ms: float = 40) -> None:
    attempt = DeliveryAttempt(
        channel=channel, outcome=outcome, gateway_ms=gateway_ms, started_at=db_now()
    )
    rollups.count([vars(attempt)])


# the snapshot


def test_snapshot_counts_what_ended():
    make_job("a")
    for state in (RunState.SUCCESS, RunState.SUCCESS, RunState.FAILED, RunState.TIMEOUT):
        finish("a", state)
    found = job()
    assert (found["success_count"], found["failure_count"], found["failures_24h"]) == (2, 2, 2)
    assert (found["last_state"], found["last_error"]) == ("TIMEOUT", "boom")


def test_snapshot_of_a_job_that_never_ran_has_every_field():
    make_job("a", enabled=False)
    make_job("b")
    finish("b")
    assert job("a").keys() == job("b").keys()
    assert (job("a")["last_run_at"], job("a")["p95_ms"], job("a")["enabled"]) == (None, None, False)


def test_snapshot_is_json_with_times_in_utc():
    make_job("a")
    finish("a")
    make_node(tick_at=db_now())
    read = json.loads(json.dumps(metrics.snapshot(db_now()), allow_nan=False))
    assert read["window_s"] == 86_400
    assert read["jobs"][0]["last_run_at"].endswith("+00:00")
    assert read["jobs"][0]["next_run_at"].endswith("+00:00")


def test_snapshot_has_percentiles_and_buckets_of_the_durations():
    make_job("a")
    for duration_ms in (10, 10, 10, 2_000):
        finish("a", duration_ms=duration_ms)
    found = job()
    assert found["p50_ms"] == pytest.approx(10, rel=0.05)
    assert found["p99_ms"] == pytest.approx(2_000, rel=0.05)
    counts = {bucket["le_ms"]: bucket["count"] for bucket in found["duration_buckets"]}
    assert (counts[5.0], counts[10.0], counts[1_000.0], counts[None]) == (0, 3, 3, 4)


def test_snapshot_shows_the_last_twenty_runs_of_each_job():
    make_job("a")
    make_job("b")
    runs = [finish("a") for _ in range(22)]
    waiting = start_run("b")
    assert [run["run_id"] for run in job("a")["recent"]] == [run.pk for run in runs[:1:-1]]
    assert job("b")["recent"] == [
        {"run_id": waiting.pk, "state": "RUNNING", "finished_at": None, "duration_ms": None}
    ]
    assert job("b")["running"] == 1


def test_recent_runs_of_more_jobs_than_one_statement_takes():
    make_job("a")
    run = finish("a")
    found = recent.by_job([f"none-{n}" for n in range(600)] + ["a"])
    assert [one.pk for one in found["a"]] == [run.pk]
    assert found["none-599"] == []


def test_recent_runs_are_read_off_the_index_of_the_job():
    make_job("a")
    with CaptureQueriesContext(connection) as captured:
        recent.by_job(["a", "b"])
    with connection.cursor() as cursor:
        explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
        if connection.vendor == "postgresql":
            # an empty table would be sorted, whatever indexes there are
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute(explain + captured[0]["sql"])
        plan = str(cursor.fetchall())
    assert plan.count("vigil_run_job") == 2


def test_snapshot_shows_living_nodes():
    node = make_node(draining=True)
    make_node(state="STOPPED")
    silent = make_node(heartbeat_at=db_now() - timedelta(hours=1))
    shown = {one["node_id"]: one["alive"] for one in metrics.snapshot(db_now())["nodes"]}
    assert shown == {node.pk: True, silent.pk: False}


def test_snapshot_has_every_channel_and_the_queue():
    count_attempt(AttemptOutcome.SENT)
    count_attempt(AttemptOutcome.TRANSIENT)
    count_attempt(AttemptOutcome.THROTTLED)
    found = metrics.snapshot(db_now())
    channels = {one["channel"]: one for one in found["notification_channels"]}
    assert tuple(channels) == registry.names()
    email = channels["EMAIL"]
    assert (email["success_count"], email["failure_count"]) == (1, 1)
    assert (email["success_rate_24h"], email["paused"]) == (0.5, False)
    assert email["gateway_p95_ms"] == pytest.approx(40, rel=0.05)
    assert {"mode", "length", "backlog", "oldest_due_s", "workers"} <= found["queue"].keys()


def test_snapshot_says_that_a_channel_is_paused_and_why():
    metrics.snapshot(db_now())
    until = db_now() + timedelta(minutes=1)
    LaneState.objects.create(channel="WECHAT", paused_until=until, pause_reason="45009")
    channels = metrics.snapshot(db_now())["notification_channels"]
    (found,) = [one for one in channels if one["channel"] == "WECHAT"]
    assert (found["paused"], found["pause_reason"]) == (True, "45009")


# Prometheus


def test_exposition_has_every_series_from_the_first_scrape():
    make_job("a")
    found = families()
    assert {name: found[name].type for name in FAMILIES} == FAMILIES
    assert all(family.documentation for family in found.values())
    assert value("scheduler_job_failed_total", job_id="a") == 0
    for channel in registry.names():
        assert value("scheduler_notification_failure_total", channel=channel) == 0
        assert value("scheduler_notification_gateway_ms_count", channel=channel) == 0


def test_exposition_counts_what_ended():
    make_job("a")
    for state in (RunState.SUCCESS, RunState.FAILED, RunState.TIMEOUT):
        finish("a", state)
    assert value("scheduler_job_success_total", job_id="a") == 1
    assert value("scheduler_job_failed_total", job_id="a") == 2


def test_histogram_has_cumulative_buckets_a_sum_and_a_count():
    make_job("a")
    for duration_ms in (3, 30, 300):
        finish("a", duration_ms=duration_ms)
    samples = families()["scheduler_job_duration_ms"].samples
    counts = [sample.value for sample in samples if sample.name.endswith("_bucket")]
    assert len(counts) <= 15
    assert counts == sorted(counts)
    assert counts[-1] == value("scheduler_job_duration_ms_count", job_id="a") == 3
    assert value("scheduler_job_duration_ms_sum", job_id="a") == 333


def test_times_are_seconds_since_the_epoch():
    make_job("a")
    run = finish("a")
    shown = value("scheduler_job_last_run_timestamp", job_id="a")
    assert shown == pytest.approx(run.finished_at.timestamp(), abs=0.001)
    assert value("scheduler_job_next_run_timestamp", job_id="a") > shown


def test_a_job_that_left_the_file_keeps_its_series():
    sync(declaration("a"), declaration("b"))
    finish("a")
    sync(declaration("b"))
    assert value("scheduler_job_success_total", job_id="a") == 1
    assert value("scheduler_job_enabled", job_id="b") == 1
    assert ScheduledJob.objects.get(pk="a").state == "ORPHANED"
    assert value("scheduler_job_next_run_timestamp", job_id="a") == 0


def test_a_node_that_beats_is_counted_and_its_tick_is_shown():
    now = db_now()
    make_node(tick_at=now)
    make_node(heartbeat_at=now - timedelta(hours=1), tick_at=now - timedelta(hours=1))
    assert value("scheduler_nodes") == 1
    assert value("scheduler_last_tick_timestamp") == pytest.approx(now.timestamp(), abs=0.001)


def test_threads_of_living_nodes_are_summed_and_none_is_busy_twice():
    make_node(slots_total=16, slots_busy=3)
    make_node(slots_total=8, slots_busy=300)  # it took short runs ahead
    make_node(slots_total=64, slots_busy=64, heartbeat_at=db_now() - timedelta(hours=1))
    assert value("scheduler_threads", kind="scheduler") == 24
    assert value("scheduler_threads_busy", kind="scheduler") == 11
    assert value("scheduler_threads", kind="celery") == 0


def test_a_channel_that_is_not_configured_is_down():
    assert value("scheduler_notification_channel_up", channel="SMS") == 0


def test_gateway_calls_are_a_histogram():
    count_attempt(AttemptOutcome.SENT, gateway_ms=40)
    count_attempt(AttemptOutcome.PERMANENT, gateway_ms=400)
    assert value("scheduler_notification_gateway_ms_count", channel="EMAIL") == 2
    assert value("scheduler_notification_gateway_ms_sum", channel="EMAIL") == 440


def test_label_values_are_escaped():
    (_, _, line) = exposition.gauge("x", "a\nb\\c", [({"name": 'q"\\\n'}, 1)])
    assert line == 'x{name="q\\"\\\\\\n"} 1'
    parsed = next(iter(text_string_to_metric_families(line)))
    assert parsed.samples[0].labels == {"name": 'q"\\\n'}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool comes with prometheus")
def test_promtool_reads_it():
    make_job("a")
    finish("a")
    text = metrics.exposition(db_now())
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    # the names are given: milliseconds are in them
    complaints = [
        line for line in done.stderr.splitlines() if "abbreviated units" not in line and line
    ]
    assert complaints == []


@pytest.mark.parametrize("call", [metrics.snapshot, metrics.exposition])
def test_fifty_jobs_cost_no_more_queries_than_one(call):
    make_job("a")
    finish("a")
    call(db_now())
    before = queries_of(call)
    sync(*[declaration(f"job-{n}") for n in range(50)])
    for n in range(0, 50, 10):
        finish(f"job-{n}")
    assert queries_of(call) == before
