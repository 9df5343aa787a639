"""Promise P8 on every page and in every answer: secrets are planted wherever one may stand, and never come back."""

from __future__ import annotations

import json

import pytest

from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app.models import (
    AlertNotification,
    ChannelState,
    DeliveryAttempt,
    NotificationSettings,
)
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, LastRun, Node, ScheduledJob
from tests import addresses
from tests.addresses import ADMIN, PEOPLE, TABLE, make_things
from tests.factories import make_job, make_user

pytestmark = pytest.mark.django_db

SECRET = "hunter2-is-planted"
TEXT = f"password={SECRET}"
KWARGS = {
    "password": SECRET,
    "credentials": {"user": "bot", "value": SECRET},
    "tokens": [SECRET],
    "dsn": f"postgres://bot:{SECRET}@db/main",
    "day": "monday",
}
SCHEMA = {"type": "object", "properties": {"password": {"type": "string", "default": SECRET}}}
OLD = {"password": f"{SECRET}-old"}
WEBHOOK = f"https://hooks.example.com/{SECRET}?key={SECRET}"
APPRISE = f"json://bot:{SECRET}@hooks.example.com/{SECRET}"


@pytest.fixture
def olga():
    return make_user("olga", groups=("ops",))


@pytest.fixture
def things(olga, settings):
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "ALLOWED_MODULES": ["tests.jobs"]}
    made = make_things(olga)
    job = make_job(callable="take_anything")
    ScheduledJob.objects.update(
        args=[TEXT, f"https://bot:{SECRET}@db/"],
        kwargs=KWARGS,
        params_schema=SCHEMA,
        description=TEXT,
        state_error=TEXT,
        file_values={**job.file_values, "kwargs": OLD},
        overrides={"kwargs": {"by": "olga", "at": "2026-01-01T00:00:00+00:00", "why": TEXT}},
    )
    texts = dict.fromkeys(("error", "traceback", "log", "result", "late_result"), TEXT)
    JobRun.objects.update(params=KWARGS, progress_text=TEXT, **texts)
    run = JobRun.objects.get()
    LastRun.objects.create(job=job, run=run.pk, state="FAILED", finished_at=db_now(), error=TEXT)
    Node.objects.update(file_problem=TEXT)
    AlertRecord.objects.update(
        body=TEXT, title=TEXT, labels={"password": SECRET}, link=f"https://x/?{TEXT}"
    )
    AlertOccurrence.objects.update(body=TEXT, run=run.pk)
    AlertNotification.objects.update(error_message=TEXT, address=TEXT)
    DeliveryAttempt.objects.create(
        notification_id=made["notification"], channel="EMAIL", number=1, started_at=db_now(),
        gateway_ms=1.0, outcome="TRANSIENT", error=TEXT, answer=TEXT,
    )  # fmt: skip
    ChannelState.objects.update(last_error=TEXT)
    NotificationSettings.objects.update(webhook_url=WEBHOOK, apprise_url=APPRISE)
    return made


@pytest.mark.parametrize("name", PEOPLE)
def test_no_page_and_no_answer_shows_one(things, olga, name):
    client = addresses.client_of(name, olga)
    leaks = []
    for address in [
        path.format(**things) for method, path, *_ in [*TABLE, *ADMIN] if method == "GET"
    ]:
        for headers in ({}, {"HX-Request": "true"}):
            text = client.get(address, headers=headers).content.decode()
            if SECRET in text:
                leaks.append((address, headers, text[text.index(SECRET) - 60 :][:80]))
    assert leaks == []


JOB = "/admin/scheduler_app/scheduledjob/nightly/change/"


@pytest.fixture
def changer(things, olga):
    return addresses.client_of("changer", olga)


def sent_back(client, address, **changes):
    """The form as it is shown, with changes."""
    form = client.get(address).context["adminform"].form
    values = {one.html_name: one.value() for one in form}
    shown = {
        name: value for name, value in values.items() if value is not None and value is not False
    }
    return client.post(address, {**shown, **changes})


def test_job_form_sent_back_as_it_is_shown_keeps_the_secrets(changer):
    assert sent_back(changer, JOB, name="Other", description="plain").status_code == 302
    job = ScheduledJob.objects.get()
    assert (job.name, job.kwargs, job.params_schema) == ("Other", KWARGS, SCHEMA)
    assert job.args == [TEXT, f"https://bot:{SECRET}@db/"]


def test_secret_of_a_job_is_replaced_without_being_seen(changer):
    shown = json.loads(changer.get(JOB).context["adminform"].form["kwargs"].value())
    new = {**shown, "password": "another-one", "day": "friday"}
    assert sent_back(changer, JOB, kwargs=json.dumps(new)).status_code == 302
    assert ScheduledJob.objects.get().kwargs == {
        **KWARGS,
        "password": "another-one",
        "day": "friday",
    }


def test_form_with_an_error_does_not_show_what_was_typed(changer):
    typed = {**KWARGS, "password": f"{SECRET}-new"}
    answer = sent_back(changer, JOB, kwargs=json.dumps(typed), cron="never")
    assert answer.status_code == 200
    assert SECRET not in answer.content.decode()
    assert "write it once more" in answer.content.decode()


def test_mask_where_no_secret_was_is_refused(changer):
    answer = sent_back(changer, JOB, kwargs='{"password": "***", "other": "***"}')
    assert answer.status_code == 200
    assert ScheduledJob.objects.get().kwargs == KWARGS


def test_api_takes_the_mask_for_the_secret_behind_it(changer):
    address = "/api/v1/scheduler/jobs/nightly"
    shown = changer.get(address).json()["definition"]["kwargs"]
    body = {"kwargs": {**shown, "day": "friday"}, "params_schema": {}}
    answer = changer.patch(address, json.dumps(body), "application/json")
    assert answer.status_code == 200, answer.json()
    assert ScheduledJob.objects.get().kwargs == {**KWARGS, "day": "friday"}


@pytest.mark.parametrize(
    "lookup",
    ["notifications_app/notificationsettings/?webhook_url__startswith=https",
     "notifications_app/notificationsettings/?apprise_url__contains=json",
     "scheduler_app/scheduledjob/?kwargs__password__startswith=h",
     "scheduler_app/scheduledjob/?last_run__error__contains=h",
     "scheduler_app/jobrun/?params__password=h",
     "scheduler_app/jobrun/?log__contains=h"],
)  # fmt: skip
def test_secret_is_not_guessed_by_the_filters_of_the_admin(things, olga, lookup):
    client = addresses.client_of("viewer", olga)
    assert client.get(f"/admin/{lookup}").status_code == 400


SETTINGS = "/admin/notifications_app/notificationsettings/{olga}/change/"


def test_settings_form_with_an_error_does_not_show_what_was_typed(things, olga, changer):
    own = addresses.client_of("owner", olga)
    typed = {"webhook_url": f"https://other.example.com/{SECRET}", "timezone": "Nowhere"}
    pages = (own.post("/settings/", typed), sent_back(changer, SETTINGS.format(**things), **typed))
    for page in pages:
        assert page.status_code == 200
        assert SECRET not in page.content.decode()
        assert "write it once more" in page.content.decode()
    assert NotificationSettings.objects.get(user=olga).webhook_url == WEBHOOK


def test_no_history_and_no_log_has_one(things, olga, changer, caplog):
    sent_back(changer, JOB, kwargs=json.dumps({"password": SECRET}), why=TEXT)
    sent_back(changer, SETTINGS.format(**things), webhook_url=f"https://h.example.com/{SECRET}")
    for address in (JOB, SETTINGS.format(**things)):
        page = changer.get(address.replace("change", "history"))
        assert page.status_code == 200
        assert SECRET not in page.content.decode()
    assert SECRET not in caplog.text


def test_arguments_typed_for_a_run_are_not_shown_again(changer):
    ScheduledJob.objects.update(
        kwargs={},
        args=[],
        params_schema={"type": "object", "properties": {"password": {"type": "string"}}},
    )
    typed = {
        "param-password": SECRET,
        "params": json.dumps({"token": SECRET, "bad name": 1}),
        "_run": "1",
    }
    ticked = {"action": "run_now", "_selected_action": ["nightly"], "index": "0"}
    runs = JobRun.objects.count()
    answer = changer.post("/admin/scheduler_app/scheduledjob/", {**typed, **ticked})
    assert answer.status_code == 200
    assert JobRun.objects.count() == runs
    assert SECRET not in answer.content.decode()
