from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from html import unescape
from threading import Barrier

import pytest
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client

from scheduler_app import mirror
from scheduler_app.errors import EditConflictError
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.states import JobState
from tests.factories import make_due, make_job, make_user

PAGE = "/admin/scheduler_app/scheduledjob/nightly/change/"

pytestmark = pytest.mark.django_db


def typed(client, **values):
    """What the browser sends when somebody opens the page and types `values`."""
    form = client.get(PAGE).context["adminform"].form
    data = {}
    for field in form:
        shown = field.value()
        if isinstance(shown, bool):
            data.update({field.html_name: "on"} if shown else {})
        else:
            data[field.html_name] = "" if shown is None else shown
    data.update(values)
    return {name: value for name, value in data.items() if value is not None}


def text_of(page):
    return unescape(page.content.decode())


def test_saving_goes_through_the_mirror(admin_client):
    make_job("nightly", owner="olga")
    page = admin_client.post(PAGE, typed(admin_client, owner="otto", why="olga left"))
    job = ScheduledJob.objects.get()
    assert page.status_code == 302
    assert (job.owner, job.revision) == ("otto", 2)
    assert set(job.overrides) == {"owner"}
    assert (job.overrides["owner"]["by"], job.overrides["owner"]["why"]) == ("boss", "olga left")


def test_saving_without_a_change_writes_nothing(admin_client):
    before = make_job("nightly", args=["x"], tags=["a"], timeout_s=2.5)
    page = admin_client.post(PAGE, typed(admin_client), follow=True)
    assert next(iter(map(str, page.context["messages"]))) == "You changed nothing."
    after = ScheduledJob.objects.get()
    assert (after.revision, after.overrides) == (before.revision, {})


def test_new_schedule_is_in_force_at_once(admin_client):
    make_job("nightly", cron="*/5 * * * *")
    admin_client.post(PAGE, typed(admin_client, cron="EVERY  15 seconds"))
    job = ScheduledJob.objects.select_related("timetable").get()
    assert job.cron == "every 15 s"
    assert job.timetable.next_run_time is not None


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("cron", "61 * * * *", "is no schedule"),
        ("cron", "0 0 30 2 *", "is no schedule"),
        ("timezone", "Mars/Olympus", "is no time zone"),
        ("calendar", "cn", "is no calendar"),
        ("blackouts", '["noon"]', "has an entry that is no window"),
        ("owner", " ", "This field is required."),
        ("args", "{}", "has to be a list"),
        ("args", "[", "Enter a valid JSON."),
        ("args", '["a", "b"]', "too many positional arguments"),
        ("kwargs", '{"colour": 1}', "unexpected keyword argument 'colour'"),
        ("kwargs", '{"two words": 1}', "is no name of an argument"),
        ("tags", '["two words"]', "has a tag that is no word"),
        ("timeout_s", "0", "has to be a number of seconds"),
        ("max_instances", "0", "has to be a whole number"),
        ("overlap", "maybe", "Select a valid choice"),
        ("enabled", None, "Say why the job is disabled."),
    ],
)
def test_wrong_value_is_told_under_its_field(admin_client, field, value, problem):
    make_job("nightly")
    page = admin_client.post(PAGE, typed(admin_client, **{field: value}))
    assert page.status_code == 200
    assert problem in text_of(page)
    assert field in page.context["adminform"].form.errors or field == "enabled"
    assert ScheduledJob.objects.get().revision == 1


def test_error_says_what_to_write(admin_client):
    make_job("nightly")
    page = admin_client.post(PAGE, typed(admin_client, timezone="China"))
    assert "Write a name like 'Asia/Shanghai'" in text_of(page)


def test_nobody_changes_what_is_called(admin_client):
    make_job("nightly")
    stranger = {"module": "os", "callable": "system", "id": "other", "state": "BROKEN"}
    admin_client.post(PAGE, typed(admin_client, owner="otto", **stranger, source="evil"))
    job = ScheduledJob.objects.get()
    assert (job.id, job.module, job.callable) == ("nightly", "tests.jobs", "succeed")
    assert (job.owner, job.state, job.source) == ("otto", "ACTIVE", "tests.job_file")


def test_second_of_two_admins_is_told_and_keeps_what_was_typed(admin_client):
    make_job("nightly", owner="olga")
    second = typed(admin_client, owner="otto", category="mine")
    mirror.edit("nightly", {"owner": "first"}, by="somebody")
    page = admin_client.post(PAGE, second)
    assert "Somebody else saved this job in the meantime" in text_of(page)
    assert "owner: first" in text_of(page).lower()
    assert 'value="otto"' in text_of(page)
    assert ScheduledJob.objects.get().owner == "first"


def test_second_admin_may_insist(admin_client):
    make_job("nightly", owner="olga")
    second = typed(admin_client, owner="otto")
    mirror.edit("nightly", {"owner": "first"}, by="somebody")
    revision = admin_client.post(PAGE, second).context["adminform"].form["revision"].value()
    page = admin_client.post(PAGE, {**second, "revision": revision})
    assert page.status_code == 302
    assert ScheduledJob.objects.get().owner == "otto"


def test_edit_between_look_and_write_is_a_form_error(admin_client, monkeypatch):
    make_job("nightly", owner="olga")
    data = typed(admin_client, owner="otto")

    def too_late(*args, **kwargs):
        monkeypatch.undo()
        mirror.edit("nightly", {"owner": "first"}, by="somebody")
        raise EditConflictError

    monkeypatch.setattr(ModelAdmin, "changeform_view", too_late)
    page = admin_client.post(PAGE, data)
    assert "Somebody else saved this job in the meantime" in text_of(page)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_at_once_one_is_told(admin_client, boss):
    make_job("nightly", owner="olga")
    sent = [typed(admin_client, owner=owner) for owner in ("one", "two")]
    both_ready = Barrier(2)

    def save(data):
        client = Client()
        client.force_login(boss)
        both_ready.wait(timeout=10)
        try:
            return client.post(PAGE, data).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(save, sent)) == [200, 302]
    assert ScheduledJob.objects.get().revision == 2


def test_page_shows_the_next_five_runs_in_the_jobs_zone(admin_client):
    make_job("nightly", cron="30 2 * * *", timezone="Asia/Shanghai")
    shown = admin_client.get(PAGE).context["next_runs"]
    assert len(shown) == 5
    assert all(one.endswith("02:30:00 CST") for one in shown)


def test_disabled_job_has_no_next_runs(admin_client):
    make_job("nightly", enabled=False)
    assert "None: the job is disabled." in text_of(admin_client.get(PAGE))


def test_preview_shows_the_next_runs_of_new_values_and_saves_nothing(admin_client):
    make_job("nightly", cron="*/5 * * * *")
    data = typed(admin_client, cron="15 4 * * *", timezone="Asia/Shanghai", _preview="Preview")
    page = admin_client.post(PAGE, data)
    assert len(page.context["preview"]) == 5
    assert all(one.endswith("04:15:00 CST") for one in page.context["preview"])
    assert 'value="15 4 * * *"' in text_of(page)
    assert "errornote" not in text_of(page)
    assert ScheduledJob.objects.get().cron == "*/5 * * * *"


def test_preview_leaves_out_slots_in_which_the_job_would_rest(admin_client):
    make_job("nightly")
    data = typed(
        admin_client,
        cron="0 4,12 * * *",
        calendar="workdays:acme",
        blackouts='["00:00-06:00"]',
        _preview="Preview",
    )
    shown = admin_client.post(PAGE, data).context["preview"]
    assert len(shown) == 5
    assert all("12:00:00" in one and one[:3] not in ("Sat", "Sun") for one in shown)


def test_preview_of_a_wrong_schedule_tells_the_error(admin_client):
    make_job("nightly")
    page = admin_client.post(PAGE, typed(admin_client, cron="61 * * * *", _preview="Preview"))
    assert "is no schedule" in text_of(page)
    assert page.context["preview"] == []


def test_a_wrong_value_is_told_in_the_readers_language(admin_client):
    make_job("nightly")
    data = typed(admin_client, cron="61 * * * *")
    page = admin_client.post(PAGE, data, headers={"accept-language": "zh-hans"})
    assert "不是有效的计划" in text_of(page)


def test_preview_of_a_disabled_job_has_no_runs(admin_client):
    make_job("nightly")
    data = typed(admin_client, enabled=None, why="moved", _preview="Preview")
    assert "not at all" in text_of(admin_client.post(PAGE, data))
    assert ScheduledJob.objects.get().enabled


def test_page_shows_drift_with_who_and_why(admin_client):
    make_job("nightly", owner="olga")
    mirror.edit("nightly", {"owner": "otto"}, by="boss", why="olga left")
    (one,) = admin_client.get(PAGE).context["differences"]
    assert (one.in_file, one.in_force, one.by, one.why) == ("olga", "otto", "boss", "olga left")
    assert "olga left" in text_of(admin_client.get(PAGE))


def test_saving_a_broken_job_mends_it(admin_client):
    make_job("nightly")
    ScheduledJob.objects.update(state=JobState.BROKEN, state_error="no such zone")
    admin_client.post(PAGE, typed(admin_client))
    assert ScheduledJob.objects.get().state == JobState.ACTIVE


def test_owner_of_a_job_whose_callable_is_gone_can_be_changed(admin_client):
    make_job("nightly", callable="gone")
    page = admin_client.post(PAGE, typed(admin_client, owner="otto"))
    assert page.status_code == 302
    page = admin_client.post(PAGE, typed(admin_client, kwargs='{"text": "x"}'))
    assert "tests.jobs has no 'gone'." in text_of(page)


def test_arguments_that_fit_are_taken(admin_client):
    make_job("nightly")
    admin_client.post(PAGE, typed(admin_client, kwargs='{"text": "你好"}'))
    assert ScheduledJob.objects.get().kwargs == {"text": "你好"}


def test_due_slot_is_settled_before_the_change(admin_client):
    make_job("nightly")
    data, slot = typed(admin_client, cron="0 0 1 1 *"), make_due("nightly")
    admin_client.post(PAGE, data)
    assert JobRun.objects.get().slot == slot


def test_reader_sees_the_job_and_cannot_save(admin_client):
    make_job("nightly")
    reader = make_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_scheduledjob"))
    client, data = Client(), typed(admin_client, owner="otto")
    client.force_login(reader)
    assert 'name="_preview"' not in text_of(client.get(PAGE))
    assert client.post(PAGE, data).status_code == 403
    assert ScheduledJob.objects.get().owner == "olga"
