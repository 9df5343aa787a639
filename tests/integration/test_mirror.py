from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_app import jobfile, mirror
from scheduler_app.drift import drift_of
from scheduler_app.errors import EditConflictError, StaleFileError, UnknownJobError
from scheduler_app.models import JobRun, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.states import JobState, RunState
from tests.factories import SOURCE, declaration, make_due, make_job, sync

pytestmark = pytest.mark.django_db


def test_new_job_is_due_in_the_future():
    make_job("nightly")
    row = Timetable.objects.get(pk="nightly")
    epoch = ScheduleEpoch.objects.get(pk=row.epoch)
    assert row.next_run_time is not None
    assert row.next_run_time > epoch.opened_at


def test_disabled_job_has_no_next_run():
    make_job("nightly", enabled=False)
    assert Timetable.objects.get(pk="nightly").next_run_time is None
    assert not ScheduleEpoch.objects.exists()


def test_file_change_arrives():
    make_job("nightly", owner="olga")
    report = sync(declaration("nightly", owner="otto"))
    assert report.changed == {"nightly": ["owner"]}
    assert ScheduledJob.objects.get().owner == "otto"


def test_admin_change_survives_a_sync_and_is_drift():
    make_job("nightly", cron="0 2 * * *")
    mirror.edit("nightly", {"cron": "0 3 * * *"}, by="olga", why="later")
    report = sync(declaration("nightly", cron="0 4 * * *"))
    job = ScheduledJob.objects.get()
    assert report.drift == {"nightly": ["cron"]}
    assert job.cron == "0 3 * * *"
    assert drift_of(job) == {"cron": ("0 4 * * *", "0 3 * * *")}
    assert job.overrides["cron"]["by"] == "olga"


def test_drift_ends_when_the_file_agrees():
    make_job("nightly", cron="0 2 * * *")
    mirror.edit("nightly", {"cron": "0 3 * * *"}, by="olga")
    report = sync(declaration("nightly", cron="0 3 * * *"))
    assert report.drift == {}
    assert ScheduledJob.objects.get().overrides == {}


def test_reset_takes_the_value_of_the_file():
    make_job("nightly", cron="0 2 * * *")
    mirror.edit("nightly", {"cron": "0 3 * * *", "owner": "otto"}, by="olga")
    mirror.reset("nightly", ["cron"], by="olga")
    job = ScheduledJob.objects.get()
    assert (job.cron, job.owner) == ("0 2 * * *", "otto")
    assert list(job.overrides) == ["owner"]


def test_job_that_left_the_file_stands_still_and_comes_back():
    sync(declaration("a"), declaration("b"))
    assert sync(declaration("a")).orphaned == ["b"]
    assert ScheduledJob.objects.get(pk="b").state == JobState.ORPHANED
    assert Timetable.objects.get(pk="b").next_run_time is None
    assert sync(declaration("a"), declaration("b")).returned == ["b"]
    assert Timetable.objects.get(pk="b").next_run_time is not None


def test_jobs_of_another_file_are_left_alone():
    make_job("a")
    mirror.sync(jobfile.parse("other.file", [declaration("b")], {}))
    assert ScheduledJob.objects.get(pk="a").state == JobState.ACTIVE


def test_second_sync_of_the_same_file_changes_nothing():
    sync(declaration("a"))
    before = ScheduledJob.objects.get().revision
    assert sync(declaration("a")).is_quiet
    assert ScheduledJob.objects.get().revision == before


def test_replaced_version_is_refused_without_force(tmp_path: Path):
    path = tmp_path / "jobs.py"
    path.write_text("")
    os.utime(path, (1, 1))
    old = jobfile.parse("f", [declaration("a", owner="olga")], {}, path=str(path))
    new = jobfile.parse("f", [declaration("a", owner="otto")], {}, path=str(path))
    mirror.sync(old)
    mirror.sync(new)
    with pytest.raises(StaleFileError, match="older version"):
        mirror.sync(old)
    assert ScheduledJob.objects.get().owner == "otto"
    mirror.sync(old, force=True)
    assert ScheduledJob.objects.get().owner == "olga"


def test_version_that_was_edited_back_is_taken(tmp_path: Path):
    path = tmp_path / "jobs.py"
    path.write_text("")
    os.utime(path, (1, 1))
    old = jobfile.parse("f", [declaration("a", owner="olga")], {}, path=str(path))
    mirror.sync(old)
    mirror.sync(jobfile.parse("f", [declaration("a", owner="otto")], {}, path=str(path)))
    os.utime(path, (4e9, 4e9))
    mirror.sync(old)
    assert ScheduledJob.objects.get().owner == "olga"


def test_preview_says_what_a_sync_does_and_only_reads():
    sync(declaration("same"), declaration("other"), declaration("gone"), declaration("back"))
    sync(declaration("same"), declaration("other"), declaration("gone"))
    mirror.edit("same", {"owner": "otto"}, by="olga")
    entries = [declaration("same"), declaration("other", cron="0 4 * * *"), declaration("back")]
    file = jobfile.parse(SOURCE, [*entries, declaration("new", enabled=False)], {})
    with CaptureQueriesContext(connection) as captured:
        report = mirror.preview(file)
    assert all(query["sql"].startswith("SELECT") for query in captured)
    assert (report.created, report.orphaned, report.returned) == (["new"], ["gone"], ["back"])
    assert (report.changed, report.drift) == ({"other": ["cron"]}, {"same": ["owner"]})
    assert mirror.sync(file) == report


def test_preview_refuses_what_a_sync_refuses(tmp_path: Path):
    path = tmp_path / "jobs.py"
    path.write_text("")
    os.utime(path, (1, 1))
    old, new = (
        jobfile.parse("f", [declaration("a", owner=owner)], {}, path=str(path))
        for owner in ("olga", "otto")
    )
    mirror.sync(old)
    mirror.sync(new)
    with pytest.raises(StaleFileError):
        mirror.preview(old)
    assert mirror.preview(old, force=True).changed == {"a": ["owner"]}


def test_edit_settles_what_was_due_under_the_old_definition():
    make_job("nightly", cron="*/5 * * * *")
    slot = make_due("nightly")
    mirror.edit("nightly", {"cron": "0 0 1 1 *"}, by="olga")
    run = JobRun.objects.get()
    assert (run.slot, run.state) == (slot, RunState.QUEUED)
    spans = list(ScheduleEpoch.objects.order_by("pk"))
    assert [span.definition["cron"] for span in spans] == ["*/5 * * * *", "0 0 1 1 *"]
    assert spans[0].closed_at == spans[1].opened_at
    assert Timetable.objects.get().epoch == spans[1].pk


def test_edit_that_changes_no_slot_opens_no_epoch():
    make_job("nightly")
    mirror.edit("nightly", {"owner": "otto"}, by="olga")
    assert ScheduleEpoch.objects.count() == 1


def test_disable_and_enable():
    make_job("nightly")
    mirror.set_enabled("nightly", False, by="olga", why="broken upstream")
    assert Timetable.objects.get().next_run_time is None
    mirror.set_enabled("nightly", True, by="olga")
    assert Timetable.objects.get().next_run_time is not None
    assert ScheduleEpoch.objects.filter(closed_at=None).count() == 1


def test_second_admin_is_told_of_the_first():
    job = make_job("nightly")
    mirror.edit("nightly", {"owner": "otto"}, by="otto", revision=job.revision)
    with pytest.raises(EditConflictError, match="somebody else"):
        mirror.edit("nightly", {"owner": "olga"}, by="olga", revision=job.revision)
    assert ScheduledJob.objects.get().owner == "otto"


def test_callable_cannot_be_changed_outside_the_file():
    make_job("nightly")
    with pytest.raises(ValueError, match="callable"):
        mirror.edit("nightly", {"callable": "fail"}, by="olga")


def test_unknown_job():
    with pytest.raises(UnknownJobError):
        mirror.edit("nobody", {"owner": "x"}, by="olga")


def test_missing_timetable_row_is_mended():
    make_job("nightly")
    Timetable.objects.all().delete()
    sync(declaration("nightly"))
    assert Timetable.objects.get().next_run_time is not None
