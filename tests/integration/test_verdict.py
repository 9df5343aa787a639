"""The one verdict, and everything that reads it: overview, tab title, /readyz, verify_jobs, figures."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from notifications_app import channel_states, lanes
from notifications_app.lanes import Lane
from notifications_app.models import ChannelState, LaneState
from notifications_app.states import NotificationState, Reason
from scheduler_app import metrics, nodes, verify
from scheduler_app.clock import db_now
from scheduler_app.models import LastMiss, LastRun, Node, ScheduledJob, Timetable
from scheduler_app.states import FAILED_STATES, JobState, NodeKind, NodeState, RunState, Severity
from scheduler_app.verdict import verdict
from scheduler_app.verify_report import Finding
from tests import factories
from tests.factories import declaration, make_job, make_node, sync
from tests.integration.pages.conftest import finish

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def silent_owner(settings):
    """That no person is called as the owner of these jobs is no problem here."""
    owners = {"SILENT_OWNERS": ["olga"]}
    settings.VIGIL_NOTIFICATIONS = {**settings.VIGIL_NOTIFICATIONS, **owners}


@pytest.fixture
def well(db):
    """A scheduler that ticks and a worker: nothing is wrong."""
    worker = nodes.register(NodeKind.WORKER, lease_s=3600, slots=1)
    return make_node(tick_at=db_now(), lease_s=3600, file_digest="x"), worker


@pytest.fixture
def check(monkeypatch):
    """`check(name, function)` registers a check for this test alone."""
    monkeypatch.setattr(verify, "_checks", dict(verify._checks))
    return verify.register_check


def kinds(now=None) -> list[str]:
    return [f"{one.kind} {one.job}".strip() for one in verdict(now or db_now()).problems]


def page(client, address="/") -> str:
    client.force_login(factories.make_user("reader", is_superuser=True))
    return client.get(address).content.decode()


def title(html: str) -> str:
    return re.search(r"<title>(.*?)</title>", html, re.DOTALL)[1].strip()


def failing(*job_ids: str) -> None:
    sync(*map(declaration, job_ids))
    for job_id in job_ids:
        finish(job_id, RunState.FAILED, error=f"{job_id} broke")


def test_all_is_well(well):
    found = verdict(db_now())
    assert (found.ok, found.severity, found.headline) == (True, "", "Nothing is wrong now")
    assert set(found.counts.values()) == {0}


def test_a_nightly_failure_stands_beside_a_job_that_fails_each_second(client, well):
    """The panel is made from the state of every job, not from the newest failed runs."""
    sync(declaration("nightly"), declaration("each_second", cron="every 1 s"))
    finish("nightly", RunState.FAILED, error="no tax number")
    for _ in range(22):
        finish("each_second", RunState.FAILED, error="x")
    finish("each_second", RunState.SUCCESS)
    assert kinds() == ["failing nightly"]
    html = page(client)
    assert "Nothing is wrong now" not in html
    assert "no tax number" in html[html.index("vg-wrong") : html.index("vg-strip")]
    assert title(html).startswith("(1) Overview: 1 job is failing")


def ailing_site() -> None:
    """No scheduler, no worker, two late jobs, a paused channel, a job file that a node refuses."""
    sync(declaration("first"), declaration("second"))
    Timetable.objects.update(next_run_time=db_now() - HOUR)
    channel_states.all_states()
    channel_states.set_held("EMAIL", True, by="admin")
    make_node(heartbeat_at=db_now() - HOUR, file_problem="job first: cron is missing")


def test_everything_that_is_wrong_is_said_everywhere(client):
    ailing_site()
    html = page(client)
    wrong = html[html.index("vg-wrong") : html.index("vg-strip")]
    said = client.get("/readyz").json()["verdict"]
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("verify_jobs", stdout=out, stderr=io.StringIO())
    figures = metrics.exposition(db_now())
    for kind, words, text, count in (
        ("node", "No scheduler runs", "No scheduler is alive.", 1),
        ("worker", "No notification worker runs", "No notification worker is alive.", 1),
        ("timetable", "2 jobs are late", "It is overdue by more than a minute.", 2),
        ("channel_paused", "1 channel is paused", "EMAIL is paused by hand", 1),
        ("job_file", "1 node refuses the job file", "job first: cron is missing", 1),
    ):
        assert words in title(html)
        assert words in wrong
        assert text in wrong
        assert words in said["words"]
        assert said["kinds"][kind] == count
        assert text in out.getvalue()
        assert f'scheduler_problems{{kind="{kind}"}} {count}' in figures
    assert title(html).startswith("(6) Overview: No scheduler runs")
    assert said["severity"] == "CRITICAL"


def test_every_kind_is_a_series_from_the_first_scrape(well):
    lines = metrics.exposition(db_now()).splitlines()
    found = {line for line in lines if line.startswith("scheduler_problems{")}
    assert {'scheduler_problems{kind="failing"} 0', 'scheduler_problems{kind="other"} 0'} <= found
    assert len(found) == len(verdict(db_now()).counts)
    assert metrics.snapshot(db_now())["verdict"]["ok"] is True


def test_failing_jobs_are_all_counted_the_longest_and_most_severe_first(client, well):
    ids = [f"job{number}" for number in range(6)]
    failing(*ids)
    finish("job5", RunState.FAILED, error="job5 broke again")
    for number, job_id in enumerate(ids):
        since = db_now() - number * HOUR
        LastRun.objects.filter(pk=job_id).update(failing_since=since)
    ScheduledJob.objects.filter(pk="job1").update(severity=Severity.CRITICAL)
    found = verdict(db_now()).problems
    assert [one.job for one in found] == ["job1", "job5", "job4", "job3", "job2", "job0"]
    assert (found[1].count, found[1].text) == (2, "failed, 2 in a row: job5 broke again")
    assert db_now() - found[1].since > 5 * HOUR
    html = page(client)
    wrong = html[html.index("vg-wrong") : html.index("vg-strip")]
    assert wrong.index("job1 broke") < wrong.index("job5 broke again") < wrong.index("job4 broke")
    assert "job0 broke" not in wrong
    (link,) = re.findall(r'<a href="(/jobs/[^"]*)">1 more</a>', wrong)
    assert client.get(link.replace("&amp;", "&")).content.decode().count('id="vg-job-job') == 6


@pytest.mark.parametrize("state", ["failing", "late", "missed", "broken"])
def test_the_list_behind_a_count_has_as_many(client, well, state):
    failing("a", "b", "c")
    now = db_now()
    ScheduledJob.objects.filter(pk="b").update(enabled=False)
    ScheduledJob.objects.filter(pk="c").update(state=JobState.BROKEN)
    Timetable.objects.filter(pk="a").update(next_run_time=now - HOUR)
    LastMiss.objects.create(job_id="a", run=1, since=now, missed_at=now + HOUR, slots=3)
    counts = verdict(now).counts
    html = page(client, f"/jobs/?state={state}")
    kind = {"late": "timetable"}.get(state, state)
    assert html.count('<tr id="vg-job-') == counts[kind] > 0


@pytest.mark.parametrize(
    "change",
    [{"enabled": False}, {"state": JobState.ORPHANED}, {"enabled": False, "severity": "CRITICAL"}],
)
def test_a_job_that_is_off_does_not_fail_any_more(client, well, change):
    failing("a")
    assert kinds() == ["failing a"]
    ScheduledJob.objects.filter(pk="a").update(**change)
    assert kinds() == []
    html = page(client)
    assert "Nothing is wrong now" in html
    assert ("It is switched off." in html) == ("enabled" in change)


def test_a_missed_slot_is_a_kind_of_its_own(well):
    make_job("a")
    now = db_now()
    LastMiss.objects.create(job_id="a", run=7, since=now - HOUR, missed_at=now, slots=3)
    (problem,) = verdict(now).problems
    assert (problem.kind, problem.count, problem.since) == ("missed", 3, now - HOUR)
    finish("a", RunState.SUCCESS)
    assert kinds() == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"tick_at": None, "started_at": -HOUR}, "tick"),
        ({"tick_at": -HOUR}, "tick"),
        ({"draining": True}, "draining"),
        ({"clock_offset_ms": -1500}, "clock"),
        ({"file_problem": "job a: cron"}, "job_file"),
        ({"heartbeat_at": -2 * HOUR}, "node"),
        ({"state": NodeState.DEAD}, "node"),
    ],
)
def test_what_is_wrong_with_a_scheduler(well, change, kind):
    now = db_now()
    values = {
        name: now + value if isinstance(value, timedelta) else value
        for name, value in change.items()
    }
    Node.objects.filter(kind=NodeKind.SCHEDULER).update(**values)
    assert kinds() == [kind]


def test_a_scheduler_that_drains_while_another_works_is_no_problem(well):
    make_node(tick_at=db_now(), draining=True)
    assert kinds() == []


def test_a_queue_that_no_node_serves(well):
    make_job("a", queue="heavy")
    Node.objects.update(queues="default")
    (problem,) = verdict(db_now()).problems
    assert (problem.kind, problem.severity) == ("queue", Severity.ERROR)
    worker = nodes.register(NodeKind.CELERY, lease_s=15, slots=2, queues=("heavy",))
    assert kinds() == []
    nodes.retire(worker.pk)
    assert kinds() == ["queue"]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, []),
        ({"ENABLED": False}, []),
        ({"ENABLED": True}, ["channel"]),
        (
            {
                "ENABLED": True,
                "WEBHOOK_URL": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a",
            },
            [],
        ),
    ],
)
def test_a_channel_is_wrong_where_it_is_on_and_cannot_send(well, settings, options, kind):
    settings.VIGIL_NOTIFICATIONS = {
        **settings.VIGIL_NOTIFICATIONS,
        "WECHAT": {"ENABLED": False, **options},
    }
    assert kinds() == kind


def test_a_channel_that_was_switched_off_is_a_wish(well, settings):
    settings.VIGIL_NOTIFICATIONS = {**settings.VIGIL_NOTIFICATIONS, "WECHAT": {"ENABLED": True}}
    channel_states.all_states()
    channel_states.set_enabled("WECHAT", False, by="admin")
    assert kinds() == []


def test_pauses_and_failures_of_a_channel(well):
    channel_states.all_states()
    lanes.pause(Lane("SYSTEM"), 60, "asked to slow down", db_now())
    assert kinds() == ["channel_paused"]
    LaneState.objects.update(paused_until=db_now() - HOUR)
    ChannelState.objects.filter(pk="SYSTEM").update(
        escalate_after=3, failures_in_a_row=3, last_error="535 no"
    )
    (problem,) = verdict(db_now()).problems
    assert problem.text == "SYSTEM: it failed 3 times in a row: 535 no"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"reason": Reason.REFUSED}, ["dead_letters"]),
        ({"reason": Reason.CHANNEL_OFF}, []),
        ({"reason": Reason.REFUSED, "finished_at": 2 * HOUR}, []),
        ({"reason": Reason.REFUSED, "state": NotificationState.SENT}, []),
    ],
)
def test_messages_that_were_given_up_lately(well, fields, found):
    ago = fields.get("finished_at", timedelta(0))
    values = {"state": NotificationState.DEAD, **fields, "finished_at": db_now() - ago}
    factories.make_notification("EMAIL", **values)
    assert kinds() == found


def test_a_check_of_an_app_is_part_of_the_verdict(client, well, check):
    check("test", lambda now: [Finding(kind="reach", text="olga cannot be reached.", job="a")])
    check("note", lambda now: [Finding(kind="note", text="a note", severity=Severity.INFO)])
    found = verdict(db_now())
    assert [one.text for one in found.problems] == ["olga cannot be reached."]
    assert found.counts["other"] == 1
    assert "olga cannot be reached." in page(client)


def test_a_costly_check_is_asked_by_verify_alone(well, check):
    costly = [Finding(kind="callable", text="slow")]
    check("test", lambda now: costly, for_pages=False)
    assert kinds() == []
    assert costly[0] in verify.registered(db_now())


def test_a_check_that_breaks_is_a_problem_and_stops_no_other(well, check, caplog):
    def breaks(now):
        raise ValueError("password=hunter22hunter")

    check("a_breaks", breaks)
    check("b_works", lambda now: [Finding(kind="reach", text="found")])
    found = verdict(db_now()).problems
    assert [one.kind for one in found] == ["check", "reach"]
    assert "a_breaks" in found[0].text
    assert "hunter22" not in found[0].text


def test_a_database_that_is_away_is_no_problem_of_a_check(well, check):
    def refuses(now):
        raise OperationalError("gone")

    check("test", refuses)
    with pytest.raises(OperationalError):
        verdict(db_now())


def queries() -> int:
    now = db_now()
    with CaptureQueriesContext(connection) as captured:
        verdict(now)
    return len(captured)


def test_costs_as_many_queries_for_two_thousand_jobs_as_for_ten(well):
    now = db_now()

    def add(first: int, last: int) -> None:
        ids = [f"job{number:04}" for number in range(first, last)]
        ScheduledJob.objects.bulk_create(
            ScheduledJob(id=job_id, name=job_id, owner="olga", created_at=now, updated_at=now)
            for job_id in ids
        )
        LastRun.objects.bulk_create(
            LastRun(job_id=job_id, run=1, state="FAILED", finished_at=now, failing_since=now)
            for job_id in ids
        )
        Timetable.objects.bulk_create(
            Timetable(job_id=job_id, next_run_time=now - HOUR, epoch=0) for job_id in ids
        )

    add(0, 10)
    few = queries()
    add(10, 2000)
    assert queries() == few
    assert len(verdict(now).problems) == 4000


JOBS = st.lists(
    st.fixed_dictionaries(
        {
            "enabled": st.booleans(),
            "state": st.sampled_from([*JobState]),
            "severity": st.sampled_from([*Severity]),
            "last": st.sampled_from([None, RunState.SUCCESS, *FAILED_STATES]),
            "missed": st.sampled_from([None, -1, 1]),
            "due": st.sampled_from([None, -3600, -5, 60]),
        }
    ),
    max_size=4,
)
NODES = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from([*NodeKind]),
            "silent": st.booleans(),
            "ticks": st.booleans(),
            "draining": st.booleans(),
            "refuses": st.booleans(),
        }
    ),
    max_size=4,
)
HELD = st.sets(st.sampled_from(["SYSTEM", "EMAIL", "SMS"]))


def naive(jobs, site, held) -> set[tuple[str, str]]:
    """What the verdict has to find, said as plainly as it can be."""
    found = {("channel_paused", name) for name in held} | naive_nodes(site)
    for number, job in enumerate(jobs):
        found |= {(kind, f"job{number}") for kind in naive_job(job)}
    return found


def naive_nodes(site) -> set[tuple[str, str]]:
    living = [one for one in site if not one["silent"]]
    schedulers = [one for one in living if one["kind"] == NodeKind.SCHEDULER]
    conditions = {
        "node": not schedulers,
        "draining": schedulers and all(one["draining"] for one in schedulers),
        "tick": any(not one["ticks"] for one in schedulers),
        "job_file": any(one["refuses"] for one in site),
        "worker": all(one["kind"] != NodeKind.WORKER for one in living),
    }
    return {(kind, "") for kind, is_met in conditions.items() if is_met}


def naive_job(job) -> set[str]:
    is_on = job["enabled"] and job["state"] != JobState.ORPHANED
    conditions = {
        "broken": job["state"] == JobState.BROKEN,
        "failing": is_on and job["last"] in FAILED_STATES,
        "missed": is_on and job["missed"] and (job["last"] is None or job["missed"] > 0),
        "timetable": job["due"] and job["due"] < -60,
    }
    return {kind for kind, is_met in conditions.items() if is_met}


def build(jobs, site, held, now) -> None:
    for model in (ScheduledJob, LastRun, LastMiss, Timetable, Node, ChannelState):
        model.objects.all().delete()
    for number, job in enumerate(jobs):
        job_id = f"job{number}"
        ScheduledJob.objects.create(
            id=job_id, name=job_id, owner="olga", created_at=now, updated_at=now,
            **{name: job[name] for name in ("enabled", "state", "severity")},
        )  # fmt: skip
        if job["last"]:
            LastRun.objects.create(job_id=job_id, run=1, state=job["last"], finished_at=now)
        if job["missed"]:
            at = now + timedelta(seconds=job["missed"])
            LastMiss.objects.create(job_id=job_id, run=2, since=at, missed_at=at, slots=1)
        due = None if job["due"] is None else now + timedelta(seconds=job["due"])
        Timetable.objects.create(job_id=job_id, next_run_time=due, epoch=0)
    for one in site:
        Node.objects.create(
            kind=one["kind"], name="host", pid=1, lease_s=15, slots_total=4, file_digest="x",
            started_at=now - HOUR, heartbeat_at=now - HOUR if one["silent"] else now,
            tick_at=now if one["ticks"] else now - HOUR, draining=one["draining"],
            file_problem="bad" if one["refuses"] else "",
        )  # fmt: skip
    for name in held:
        ChannelState.objects.create(channel=name, held=True)


@hypothesis_settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(jobs=JOBS, site=NODES, held=HELD)
def test_the_verdict_is_that_of_a_naive_reference(db, jobs, site, held):
    now = db_now()
    build(jobs, site, held, now)
    found = verdict(now)
    names = {
        (one.kind, one.text.split()[0] if one.kind == "channel_paused" else one.job)
        for one in found.problems
    }
    assert names == naive(jobs, site, held)
    assert found.ok == (not names)
    ranks = [Severity.values[::-1].index(one.severity) for one in found.problems]
    assert ranks == sorted(ranks)
