from __future__ import annotations

import io
import json
import os

import pytest
from django.core.management import CommandError, call_command

from scheduler_app import mirror
from scheduler_app.models import ScheduledJob, SyncedFile
from tests.factories import declaration

pytestmark = pytest.mark.django_db


@pytest.fixture
def write(tmp_path, monkeypatch, settings):
    """`write(*declarations)` makes the site's job file of them, written long ago."""
    monkeypatch.syspath_prepend(tmp_path)
    settings.VIGIL_SCHEDULER = {"JOB_FILE": "synced_jobs"}

    def make(*declarations, text=None):
        path = tmp_path / "synced_jobs.py"
        path.write_text(text or f"JOBS = {list(declarations)!r}")
        os.utime(path, (1, 1))

    return make


def run(*arguments) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("sync_jobs", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_sync_brings_the_file_over(write):
    write(declaration("a"), declaration("b"))
    code, out, err = run()
    assert code == 0
    assert set(ScheduledJob.objects.values_list("pk", flat=True)) == {"a", "b"}
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["a", "new"], ["b", "new"]]
    assert "2 jobs in synced_jobs, 2 differences." in err


def test_dry_run_writes_nothing_and_is_well(write):
    write(declaration("a"))
    code, out, _ = run("--dry-run")
    assert (code, out.split()[3:]) == (0, ["a", "new"])
    assert not ScheduledJob.objects.exists()
    assert not SyncedFile.objects.exists()


def test_check_fails_on_a_difference_and_writes_nothing(write):
    write(declaration("a"))
    assert run("--check")[0] == 1
    assert not ScheduledJob.objects.exists()


def test_check_is_well_after_a_sync(write):
    write(declaration("a"))
    run()
    assert run("--check")[0] == 0


def test_check_fails_on_drift(write):
    write(declaration("a"))
    run()
    mirror.edit("a", {"owner": "otto"}, by="olga")
    code, out, _ = run("--check", "--format", "json")
    assert code == 1
    assert json.loads(out)["drift"] == {"a": ["owner"]}
    assert ScheduledJob.objects.get().owner == "otto"


def test_json_names_what_changed(write):
    write(declaration("a"), declaration("b"))
    run()
    write(declaration("a", owner="otto"), declaration("c", enabled=False))
    said = json.loads(run("--format", "json")[1])
    assert (said["created"], said["orphaned"]) == (["c"], ["b"])
    assert said["changed"] == {"a": ["owner"]}
    assert said["disabled"] == ["c"]


def test_old_version_is_refused_until_it_is_forced(write):
    write(declaration("a", owner="olga"))
    run()
    write(declaration("a", owner="otto"))
    run()
    write(declaration("a", owner="olga"))
    with pytest.raises(CommandError, match="--force") as caught:
        run()
    assert caught.value.returncode == 2
    assert run("--force")[0] == 0
    assert ScheduledJob.objects.get().owner == "olga"


def test_broken_file_ends_with_2_tells_every_fault_and_changes_nothing(write):
    write(declaration("a"))
    run()
    write(declaration("a", cron="bad"), declaration("b", colour="red"))
    with pytest.raises(CommandError) as caught:
        run()
    assert caught.value.returncode == 2
    assert len(str(caught.value).splitlines()) == 2
    assert list(ScheduledJob.objects.values_list("pk", flat=True)) == ["a"]


def test_file_that_is_missing_ends_with_2(settings):
    settings.VIGIL_SCHEDULER = {"JOB_FILE": "no_such_file_of_jobs"}
    with pytest.raises(CommandError, match="does not exist") as caught:
        run()
    assert caught.value.returncode == 2
