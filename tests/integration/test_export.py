from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from scheduler_app import export, jobfile, mirror
from scheduler_app.models import ScheduledJob
from tests.factories import declaration

pytestmark = pytest.mark.django_db

EVERYTHING = declaration(
    "all",
    name='Quotes " and \\ and 夜间 💥',
    description="Two\nlines,\ta tab\x7f and 'quotes'.",
    cron={"hour": 2, "minute": 30},
    enabled=False,
    timezone="Asia/Shanghai",
    dst_gap="skip",
    dst_fold="twice",
    calendar="workdays:CN",
    blackouts=["Sat,Sun", "22:00-06:00"],
    args=[1, 2.5, None, True, {"a": ["b"]}],
    kwargs={"text": "x", "deep": {"er": [False, None, -1]}, "long": [{"words": "w" * 60}] * 3},
    timeout_s=5,
    max_instances=2,
    overlap="parallel",
    grace_s=90,
    on_missed="all",
    max_catch_up=7,
    max_retries=2,
    retry_backoff_s=1.5,
    on_lost="retry",
    queue="slow",
    severity="CRITICAL",
    expected_s=12,
    tags=["b", "a"],
)
CHANNELS = {"EMAIL": {"enabled": False, "owner": "olga", "escalate_after": None}, "SMS": {}}


def said_by(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(text, "exported", "exec"), names)
    return names


def read_back(text: str) -> jobfile.JobFile:
    names = said_by(text)
    return jobfile.parse("f", names["JOBS"], {"CHANNELS": names["CHANNELS"]})


def test_export_says_what_the_file_says():
    file = jobfile.parse("f", [EVERYTHING, declaration("plain")], {"CHANNELS": CHANNELS})
    mirror.sync(file)
    again = read_back(export.as_python(file))
    assert again.jobs == file.jobs
    assert again.sections == file.sections
    assert again.digest == file.digest


def test_export_has_the_values_in_force():
    file = jobfile.parse("f", [declaration("a"), declaration("b")], {"CHANNELS": {}})
    mirror.sync(file)
    mirror.edit("b", {"cron": "7 3 * * *", "kwargs": {"text": "new"}}, by="olga")
    again = read_back(export.as_python(file))
    assert [export.declaration_of(job) for job in ScheduledJob.objects.order_by("id")] == [
        *again.jobs
    ]
    assert again.jobs[1].cron == "7 3 * * *"


def test_only_what_differs_from_a_default_is_printed():
    file = jobfile.parse("f", [declaration("a", timeout_s=5)], {"CHANNELS": {}})
    mirror.sync(file)
    (entry,) = said_by(export.as_python(file))["JOBS"]
    assert list(entry) == [*declaration("a"), "timeout_s"]


def test_jobs_keep_the_order_of_the_file():
    file = jobfile.parse("f", [declaration("z"), declaration("a")], {"CHANNELS": {}})
    mirror.sync(file)
    assert [job.id for job in read_back(export.as_python(file)).jobs] == ["z", "a"]


def test_job_that_is_not_registered_yet_is_not_lost():
    mirror.sync(jobfile.parse("f", [declaration("a")], {}))
    file = jobfile.parse("f", [declaration("a"), declaration("new")], {"CHANNELS": {}})
    assert [job.id for job in read_back(export.as_python(file)).jobs] == ["a", "new"]


def test_jobs_that_left_the_file_or_belong_to_another_are_left_out():
    file = jobfile.parse("f", [declaration("a")], {"CHANNELS": {}})
    mirror.sync(jobfile.parse("f", [declaration("a"), declaration("gone")], {}))
    mirror.sync(file)
    mirror.sync(jobfile.parse("other.file", [declaration("theirs")], {}))
    assert [job.id for job in read_back(export.as_python(file)).jobs] == ["a"]


def write_site_file(tmp_path, monkeypatch, settings, text):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "exported_jobs.py").write_text(text)
    settings.VIGIL_SCHEDULER = {"JOB_FILE": "exported_jobs"}


def test_command_prints_a_file_that_can_take_the_place_of_the_old(tmp_path, monkeypatch, settings):
    text = f"JOBS = [{EVERYTHING!r}]\nCHANNELS = {CHANNELS!r}\n"
    write_site_file(tmp_path, monkeypatch, settings, text)
    before = jobfile.load("exported_jobs")
    mirror.sync(before)
    out = io.StringIO()
    call_command("export_jobs", stdout=out)
    (tmp_path / "exported_jobs.py").write_text(out.getvalue())
    assert jobfile.load("exported_jobs").digest == before.digest


def test_command_refuses_a_broken_file(tmp_path, monkeypatch, settings):
    write_site_file(tmp_path, monkeypatch, settings, "JOBS = 5")
    with pytest.raises(CommandError, match="JOBS is not a list") as caught:
        call_command("export_jobs")
    assert caught.value.returncode == 2


SECRETS = {"password": "hunter2-in-the-file", "dsn": "postgres://bot:hunter2-in-the-file@db/main"}


def test_command_masks_secrets_and_the_masked_file_is_refused(tmp_path, monkeypatch, settings):
    text = f"JOBS = [{declaration('a', callable='take_anything', kwargs=SECRETS)!r}]\n"
    write_site_file(tmp_path, monkeypatch, settings, text)
    before = jobfile.load("exported_jobs")
    mirror.sync(before)
    out, err, whole = io.StringIO(), io.StringIO(), io.StringIO()
    call_command("export_jobs", stdout=out, stderr=err)
    assert "hunter2" not in out.getvalue()
    assert "--with-secrets" in err.getvalue()
    (tmp_path / "exported_jobs.py").write_text(out.getvalue())
    with pytest.raises(jobfile.JobFileError, match=r"\*\*\*"):
        jobfile.load("exported_jobs")
    (tmp_path / "exported_jobs.py").write_text(text)
    call_command("export_jobs", "--with-secrets", stdout=whole)
    (tmp_path / "exported_jobs.py").write_text(whole.getvalue())
    assert jobfile.load("exported_jobs").digest == before.digest
