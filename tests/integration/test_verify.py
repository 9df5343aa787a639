from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from scheduler_app import claims, documents, jobfile, mirror, nodes, verify
from scheduler_app.clock import db_now
from scheduler_app.errors import JobFileError
from scheduler_app.models import CalendarDay, JobRun, Node, ScheduledJob, Timetable
from scheduler_app.states import JobState, NodeKind
from scheduler_app.verify_report import Finding, Report, keep, markdown
from tests import environment
from tests.factories import declaration, make_node, start_run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_other_checks(monkeypatch):
    """What the apps above registered is tested with them."""
    monkeypatch.setattr(verify, "_owner_checks", {})
    monkeypatch.setattr(verify, "_checks", {})


@pytest.fixture
def job_file(tmp_path, settings, monkeypatch):
    """`job_file(*declarations)` writes the site's job file; returns what was read of it."""
    monkeypatch.syspath_prepend(tmp_path)
    settings.VIGIL_SCHEDULER = {
        "JOB_FILE": "verified_jobs",
        "VERIFY_LOG": str(tmp_path / "log.md"),
        "VERIFY_ARCHIVE": str(tmp_path / "archive"),
    }

    def write(*declarations, text=None):
        said = text or f"JOBS = {list(declarations)!r}\n"
        (tmp_path / "verified_jobs.py").write_text(said)
        return jobfile.load("verified_jobs")

    return write


@pytest.fixture
def healthy(job_file):
    """A synced file of two jobs, and a scheduler that has just ticked with it."""
    file = job_file(declaration("a"), declaration("b", enabled=False))
    mirror.sync(file)
    make_node(tick_at=db_now(), file_digest=file.digest)
    return file


def found(**options) -> list[str]:
    report = verify.verify(db_now(), **options)
    return [f"{one.kind} {one.job}".strip() for one in report.findings]


def run(*arguments) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("verify_jobs", *arguments, stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


def test_healthy_site_has_no_findings(healthy):
    report = verify.verify(db_now())
    assert report.ok, report.findings
    assert [(job.id, job.enabled) for job in report.jobs] == [("a", True), ("b", False)]
    assert report.jobs[0].next_run_at == Timetable.objects.get(pk="a").next_run_time
    assert report.jobs[1].next_run_at is None


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"module": "no.such.module"}, "callable"),
        ({"callable": "no_such_function"}, "callable"),
        ({"callable": "logger"}, "callable"),
        ({"kwargs": {"colour": "red"}}, "signature"),
        ({"args": [1, 2, 3]}, "signature"),
        ({"callable": "note"}, "signature"),
    ],
)
def test_job_that_cannot_be_called_is_found(job_file, fields, kind):
    job_file(declaration("a", **fields))
    assert found(offline=True) == [f"{kind} a"]


@pytest.mark.parametrize("body", ["raise SystemExit(3)", "1 / 0", "import nothing_like_this"])
def test_module_that_breaks_at_import_is_found(job_file, tmp_path, body):
    (tmp_path / "breaks_at_import.py").write_text(body)
    job_file(declaration("a", module="breaks_at_import"), declaration("b"))
    assert found(offline=True) == ["callable a"]


def test_parameters_changed_in_the_admin_are_checked(healthy):
    mirror.edit("a", {"kwargs": {"colour": "red"}}, by="olga")
    assert found() == ["signature a"]


def test_zone_of_the_site_is_checked(job_file, monkeypatch):
    job_file(declaration("a"), declaration("b", timezone="UTC"))
    monkeypatch.setattr("scheduler_app.conf.site_time_zone", lambda: "Mars/Olympus")
    assert found(offline=True) == ["schedule a"]


def test_owner_nobody_knows_is_found(healthy):
    verify.register_owner_check("test", lambda owner: f"Nobody is called {owner}.")
    report = verify.verify(db_now())
    assert [str(one) for one in report.findings if one.job == "a"] == [
        "a: Nobody is called olga. Name a user, an address or a group that can be told."
    ]


def test_each_owner_is_asked_for_once(job_file):
    asked = []
    verify.register_owner_check("test", lambda owner: asked.append(owner) or "")
    mirror.sync(job_file(*(declaration(f"job{number}") for number in range(9))))
    verify.verify(db_now())
    assert asked == ["olga"]


def test_owner_changed_in_the_admin_is_asked_for(healthy):
    verify.register_owner_check("test", lambda owner: "" if owner == "olga" else "who?")
    mirror.edit("a", {"owner": "otto"}, by="olga")
    assert found() == ["owner a"]


def test_check_of_another_app_adds_its_findings(healthy):
    lonely = Finding(kind="worker", text="No worker is alive.")
    verify.register_check("test", lambda now: [lonely])
    assert verify.verify(db_now()).findings == [lonely]
    assert verify.verify(db_now(), offline=True).findings == []


def test_check_that_asks_no_database_is_made_offline_too(healthy):
    wrong = Finding(kind="settings", text="REDIS_URL is no URL.")
    verify.register_check("test", lambda now: [wrong], offline=True)
    assert verify.verify(db_now(), offline=True).findings == [wrong]


def test_no_living_scheduler_is_found(healthy):
    Node.objects.update(heartbeat_at=db_now() - timedelta(minutes=1))
    assert found() == ["node"]


def test_queue_that_nobody_serves_is_found(job_file):
    file = job_file(declaration("a"), declaration("b", queue="heavy"), declaration("c", queue="x"))
    mirror.sync(file)
    make_node(tick_at=db_now(), file_digest=file.digest, queues="default,x")
    assert found() == ["queue"]
    (finding,) = verify.verify(db_now()).findings
    assert "queue heavy" in finding.text
    assert "runscheduler --queues heavy" in finding.hint
    worker = nodes.register(NodeKind.CELERY, lease_s=15, slots=2, queues=("heavy",))
    assert found() == []
    nodes.beat(worker.pk, file_digest="another")
    assert found() == ["job_file"]


def test_scheduler_that_rings_for_workers_serves_no_queue(job_file, settings):
    file = job_file(declaration("a"))
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "EXECUTOR": "celery"}
    mirror.sync(file)
    make_node(tick_at=db_now(), file_digest=file.digest, slots_total=0)
    (finding,) = verify.verify(db_now()).findings
    assert (finding.kind, "-Q default" in finding.hint) == ("queue", True)


def test_scheduler_with_another_file_is_found(healthy):
    Node.objects.update(file_digest="0" * 64)
    assert found() == ["job_file"]


def test_scheduler_that_cannot_read_its_file_is_found(healthy):
    Node.objects.update(file_problem="job a: cron is missing")
    report = verify.verify(db_now())
    assert "job a: cron is missing" in report.findings[0].text


def test_scheduler_that_no_longer_ticks_is_found(healthy):
    Node.objects.update(tick_at=db_now() - timedelta(seconds=11))
    assert found() == ["tick"]


def test_scheduler_that_has_just_started_is_given_a_moment(healthy):
    Node.objects.update(tick_at=None, file_digest="")
    assert found() == []
    Node.objects.update(started_at=db_now() - timedelta(seconds=11))
    assert found() == ["tick", "job_file"]


def test_one_of_two_schedulers_is_named(healthy):
    other = make_node(tick_at=db_now(), file_digest="other")
    report = verify.verify(db_now())
    assert len(report.findings) == 1
    assert str(other) in report.findings[0].text


def test_deleted_timetable_row_is_found_and_the_command_fails(healthy):
    assert run()[0] == 0
    Timetable.objects.filter(pk="a").delete()
    code, out = run()
    assert code == 1
    assert "[timetable] a: It is switched on, but the timetable has no next run." in out


def test_timetable_row_without_a_time_is_found(healthy):
    Timetable.objects.filter(pk="a").update(next_run_time=None)
    assert found() == ["timetable a"]


@pytest.mark.parametrize("change", [{"enabled": False}, {"state": JobState.ORPHANED}])
def test_timetable_row_of_a_job_that_is_off_is_found(healthy, change):
    ScheduledJob.objects.filter(pk="b").update(**change)
    Timetable.objects.filter(pk="b").update(next_run_time=db_now())
    assert "timetable b" in found()


def test_slot_that_nobody_claims_is_found(healthy):
    Timetable.objects.filter(pk="a").update(next_run_time=db_now() - timedelta(minutes=2))
    assert found() == ["timetable a"]


def test_broken_job_is_found_with_its_error(healthy):
    ScheduledJob.objects.filter(pk="a").update(state=JobState.BROKEN, state_error="no such zone")
    Timetable.objects.filter(pk="a").update(next_run_time=None)
    assert [one.text for one in verify.verify(db_now()).findings] == ["no such zone"]


def test_one_off_time_that_is_over_needs_no_row(job_file):
    file = job_file(declaration("a", cron="at 2020-01-01T00:00"))
    mirror.sync(file)
    make_node(tick_at=db_now(), file_digest=file.digest)
    assert found() == []


def test_file_that_was_not_synced_is_found(healthy, job_file):
    job_file(declaration("a", owner="otto", cron="@daily"), declaration("c"))
    report = verify.verify(db_now())
    assert [(one.kind, one.job) for one in report.findings] == [
        ("job_file", ""), ("registration", "a"), ("registration", "c"), ("registration", "b")
    ]  # fmt: skip
    assert "cron, owner" in report.findings[1].text


def test_drift_is_a_note_that_says_who_and_why(healthy):
    mirror.set_enabled("a", False, by="olga", why="upstream is down")
    report = verify.verify(db_now())
    assert report.ok
    assert [one.text for one in report.notes] == [
        "enabled is False here, True in the file (olga upstream is down)."
    ]


def test_scheduler_whose_threads_are_all_held_for_long_is_a_finding(healthy):
    node = Node.objects.get()
    Node.objects.update(slots_total=2, slots_busy=2)
    first, second = start_run("a", node, "t1"), start_run("b", node, "t2")
    assert found() == []
    ago = db_now() - timedelta(minutes=1)
    JobRun.objects.filter(pk=first.pk).update(started_at=ago)
    assert found() == []
    JobRun.objects.filter(pk=second.pk).update(started_at=ago - timedelta(minutes=1))
    (finding,) = verify.verify(db_now()).findings
    assert finding.kind == "threads"
    assert finding.text.endswith(f"so nothing starts there: b #{second.pk}, a #{first.pk}")


def test_jobs_of_another_file_are_a_note(healthy):
    mirror.sync(jobfile.parse("other.file", [declaration("x", module="no.such")]))
    report = verify.verify(db_now())
    assert report.ok
    assert [one.text for one in report.notes] == ["1 more jobs come from other.file."]


@pytest.mark.parametrize(
    "field",
    [
        {"expected_s": 5},
    ],
)  # fmt: skip
def test_field_that_is_not_acted_upon_is_a_note(job_file, field):
    job_file(declaration("a", **field))
    report = verify.verify(db_now(), offline=True)
    assert report.ok
    assert [one.text.split()[0] for one in report.notes] == list(field)


def test_offline_asks_no_database(job_file, django_assert_num_queries):
    job_file(declaration("a"), declaration("b", enabled=False))
    now = db_now()
    with django_assert_num_queries(0):
        report = verify.verify(now, offline=True)
    assert report.ok
    assert report.jobs[0].next_run_at > now
    assert report.jobs[1].next_run_at is None


def test_costs_the_same_for_many_jobs(job_file, django_assert_max_num_queries):
    mirror.sync(job_file(*(declaration(f"job{number}") for number in range(30))))
    now = db_now()
    with django_assert_max_num_queries(5):
        verify.verify(now)


def test_broken_file_ends_the_command_with_2_and_every_fault(job_file):
    with pytest.raises(JobFileError):
        job_file(declaration("a", cron="bad"), declaration("b", owner=""))
    with pytest.raises(CommandError) as caught:
        run()
    assert caught.value.returncode == 2
    assert "job a: cron" in str(caught.value)
    assert "job b: owner" in str(caught.value)


def test_json_is_the_report(healthy):
    code, out = run("--format", "json")
    said = json.loads(out)
    assert code == 0
    assert said["ok"] is True
    assert [job["id"] for job in said["jobs"]] == ["a", "b"]
    assert said["digest"] == healthy.digest


def test_module_that_prints_does_not_spoil_the_output(job_file, tmp_path, capsys):
    (tmp_path / "prints_at_import.py").write_text("print('hello')\ndef go(): pass")
    job_file(declaration("a", module="prints_at_import", callable="go"))
    call_command("verify_jobs", "--offline", "--format", "json")
    said = capsys.readouterr()
    assert json.loads(said.out)["ok"] is True
    assert "hello" in said.err


def test_table_lists_jobs_with_their_next_runs(healthy):
    _, out = run()
    due = Timetable.objects.get(pk="a").next_run_time
    assert f"{due:%Y-%m-%d %H:%M:%S}" in out


def test_log_keeps_the_newest_line_first_and_archives(healthy, tmp_path):
    (tmp_path / "log.md").write_text("# Ours\n\nWords.\n\n- 2020-01-01 00:00 UTC: old\n")
    run("--log")
    Timetable.objects.all().delete()
    run("--log")
    *_, newest, older, oldest = (tmp_path / "log.md").read_text().splitlines()
    assert newest.endswith("Z.md`)")
    assert "2 jobs, 1 findings" in newest
    assert "2 jobs, all well" in older
    assert oldest == "- 2020-01-01 00:00 UTC: old"
    assert (tmp_path / "log.md").read_text().startswith("# Ours\n\nWords.\n\n- ")


def test_archived_report_is_the_markdown(healthy, tmp_path):
    report = verify.verify(db_now())
    path = keep(report)
    assert path.parent == tmp_path / "archive"
    assert path.read_text() == markdown(report)
    assert (tmp_path / "log.md").read_text().startswith("# Burn-down tracking log")


def test_markdown_stays_a_table_whatever_a_finding_says():
    report = Report(checked_at=db_now(), job_file="f", digest="", offline=True)
    report.find([Finding(kind="callable", job="a", text="one | two\nthree <!-- four", hint="h")])
    line = next(row for row in markdown(report).splitlines() if row.startswith("| callable"))
    assert line == "| callable | a | one \\| two three &lt;!-- four | h |"


def test_relative_paths_begin_in_the_projects_folder():
    assert documents.path_of("docs/LOG.md") == environment.ROOT / "docs" / "LOG.md"
    assert documents.path_of("/elsewhere/LOG.md") == Path("/elsewhere/LOG.md")


def test_the_report_speaks_the_language_in_force_and_its_json_does_not(healthy):
    with translation.override("zh-hans"):
        (table, document, data) = (run("--format", how)[1] for how in ("table", "markdown", "json"))
    for said in (table, document):
        assert "负责人" in said
        assert "是" in said
        assert "否" in said
    assert json.loads(data)["jobs"][0]["enabled"] is True


UNPUBLISHED = datetime(2089, 12, 1, tzinfo=UTC)


def doubts(report: Report) -> list[str]:
    return [one.text for one in (*report.findings, *report.notes) if one.kind == "calendar"]


def test_year_of_a_calendar_that_is_not_published_is_found_once_for_all_its_jobs(job_file):
    file = job_file(
        declaration("a", calendar="CN"), declaration("b", calendar="workdays:CN"), declaration("c")
    )
    mirror.sync(file)
    report = verify.verify(UNPUBLISHED)
    (text, later) = doubts(report)
    assert text.startswith("workdays:CN: the days off of 2089 are not known")
    assert text.endswith("Its jobs: a, b.")
    assert "2090" in later
    assert "calendar" in {one.kind for one in report.findings}


def test_day_that_was_entered_settles_its_year(job_file):
    mirror.sync(job_file(declaration("a", calendar="CN")))
    for year in (2089, 2090):
        CalendarDay.objects.create(calendar="CN", day=date(year, 2, 14), is_open=True)
    assert doubts(verify.verify(UNPUBLISHED)) == []


def test_offline_a_year_that_is_not_published_is_a_note(job_file):
    job_file(declaration("a", calendar="CN"))
    report = verify.verify(UNPUBLISHED, offline=True)
    assert report.ok
    assert len(doubts(report)) == 2


def test_calendar_of_ones_own_without_a_day_is_found(job_file):
    mirror.sync(job_file(declaration("a", calendar="acme")))
    assert doubts(verify.verify(db_now())) == [
        "workdays:acme: no day was entered for it. Its jobs: a."
    ]
    CalendarDay.objects.create(calendar="acme", day=date(2026, 12, 1), is_open=False)
    assert doubts(verify.verify(db_now())) == []


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"cron": "0 9 * * SAT", "calendar": "workdays:acme"}, True),
        ({"cron": "0 9 * * *", "blackouts": ["00:00-12:00"]}, True),
        ({"cron": "0 9 * * *", "calendar": "workdays:acme", "blackouts": ["08:00-09:01"]}, True),
        ({"cron": "0 9 * * FRI", "calendar": "workdays:acme"}, False),
        ({"cron": "at 2020-01-01T10:00:00", "blackouts": ["00:00-12:00"]}, False),
    ],
)
def test_job_that_rests_in_all_of_its_slots_is_found(job_file, fields, found):
    job_file(declaration("a", **fields))
    report = verify.verify(db_now(), offline=True)
    assert ("It rests in all of its slots." in [one.text for one in report.findings]) is found
    if found:
        assert report.jobs[0].next_run_at is None


@pytest.mark.parametrize(
    ("cron", "jitter_s", "found"),
    [
        ("every 60 s", 60, True),
        ("every 60 s", 59, False),
        ("*/5 * * * *", 300, True),
        ("*/5 * * * *", 0, False),
        ("0,1 3 * * *", 90, True),
        ("at 2020-01-01T10:00:00", 90, False),
    ],
)
def test_jitter_as_long_as_the_interval_is_found(job_file, cron, jitter_s, found):
    job_file(declaration("a", cron=cron, jitter_s=jitter_s))
    findings = verify.verify(db_now(), offline=True).findings
    assert [one.text.startswith("jitter_s is") for one in findings] == [True] * found


def test_next_run_of_a_job_is_the_next_slot_in_which_it_does_not_rest(job_file):
    saturday = datetime(2026, 11, 21, 5, tzinfo=UTC)
    file = job_file(declaration("a", cron="0 9 * * *", timezone="UTC", calendar="workdays:CN"))
    monday = datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert verify.verify(saturday, offline=True).jobs[0].next_run_at == monday
    mirror.sync(file)
    Timetable.objects.update(next_run_time=saturday.replace(hour=9))
    assert verify.verify(saturday).jobs[0].next_run_at == monday


def test_queue_of_a_job_that_is_off_is_found_where_a_run_waits(job_file):
    file = job_file(declaration("a", enabled=False, queue="heavy"))
    mirror.sync(file)
    claims.request_run(ScheduledJob.objects.get(pk="a"))
    make_node(tick_at=db_now(), file_digest=file.digest, queues="default")
    assert found() == []
    JobRun.objects.update(ready_at=db_now() - timedelta(minutes=1))
    (finding,) = verify.verify(db_now()).findings
    assert "heavy, where runs wait since" in finding.text


def test_step_larger_than_its_field_is_found(job_file):
    job_file(declaration("a", cron="*/90 * * * *"), declaration("b", cron="*/60 * * * *"))
    report = verify.verify(db_now(), offline=True)
    assert [(one.kind, one.job) for one in report.findings] == [("schedule", "a")]
    assert "*/90" in report.findings[0].text
    assert "every 90 min" in report.findings[0].hint


RESULTS = """
import contextlib
import functools

def plain(): ...
async def coroutine(): ...
def generator(): yield 1
async def async_generator(): yield 1

def decorated(function):
    @functools.wraps(function)
    def wrapper(*args): return function(*args)
    return wrapper

wrapped = decorated(generator)
bound = functools.partial(generator)
manager = contextlib.contextmanager(generator)
async_manager = contextlib.asynccontextmanager(async_generator)
bound_manager = functools.partial(manager)
"""


@pytest.mark.parametrize(
    ("name", "is_found"),
    [
        ("plain", False),
        ("coroutine", False),
        ("generator", False),
        ("async_generator", False),
        ("wrapped", False),
        ("bound", False),
        ("manager", True),
        ("async_manager", True),
        ("bound_manager", True),
    ],
)
def test_callable_whose_call_runs_nothing_is_found(job_file, tmp_path, name, is_found):
    (tmp_path / f"results_of_{name}.py").write_text(RESULTS)
    job_file(declaration("a", module=f"results_of_{name}", callable=name))
    assert found(offline=True) == (["callable a"] if is_found else [])
