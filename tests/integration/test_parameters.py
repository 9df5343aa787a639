"""What a run may be called with: the signature, the declared schema, and every door alike."""

from __future__ import annotations

from typing import Literal

import pytest
from django.core.management import CommandError, call_command

from scheduler_app import jobfile, mirror, parameters, requests
from scheduler_app.errors import JobFileError, ParameterError
from scheduler_app.models import JobRun, ScheduledJob
from tests import jobs
from tests.factories import SOURCE, declaration, make_job, make_user

SCHEMA = {
    "properties": {"limit": {"type": "integer", "maximum": 10}},
    "required": ["limit"],
    "additionalProperties": False,
}
TOO_MUCH = "limit has to be at most 10"


def typed(
    day: str, limit: int = 5, share: float = 0.5, *, dry: bool = False, mode: Literal["a", "b"] = "a",
    until: str | None = None, odd: "NoSuchType" = None, more: list[int] = (),  # noqa: F821, UP037
) -> None:  # fmt: skip
    """A function of the tests."""


def half_typed(first, second: int | None = None, *rest, **more) -> None:
    """Another one."""


@pytest.fixture(autouse=True)
def _allowed(settings):
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "ALLOWED_MODULES": ["tests.jobs"]}


@pytest.fixture
def job(db):
    return make_job("a", callable="take_anything", kwargs={"limit": 3}, params_schema=SCHEMA)


def check(function, monkeypatch, args=(), kwargs=None, schema=None):
    monkeypatch.setattr(jobs, "typed", function, raising=False)
    parameters.check("tests.jobs", "typed", args, kwargs or {}, schema or {})


@pytest.mark.parametrize(
    ("kwargs", "problem"),
    [
        ({}, "missing a required argument: 'first'. It takes: first, second, rest, more."),
        ({"first": 1, "second": 2}, ""),
    ],
)
def test_signature_is_asked_and_told(monkeypatch, kwargs, problem):
    if not problem:
        return check(half_typed, monkeypatch, kwargs=kwargs)
    with pytest.raises(ParameterError, match="half_typed") as caught:
        check(half_typed, monkeypatch, kwargs=kwargs)
    assert problem in str(caught.value)
    return None


def test_callable_without_a_signature_takes_what_it_takes(monkeypatch):
    check(max, monkeypatch, args=[1, 2])


def test_arguments_that_are_known_from_a_signature(monkeypatch, db):
    monkeypatch.setattr(jobs, "typed", half_typed, raising=False)
    job = make_job("a", callable="typed", args=[1])
    assert parameters.known_to(job) == {
        "type": "object",
        "properties": {"second": {"type": "integer"}},
        "required": [],
        "additionalProperties": True,
    }


def test_kinds_come_from_annotations_where_these_can_be_read(monkeypatch, db):
    job = make_job("a", callable="typed")
    monkeypatch.setattr(jobs, "typed", typed, raising=False)
    assert parameters.known_to(job)["properties"]["limit"] == {"default": 5}
    del typed.__annotations__["odd"]
    known = parameters.known_to(job)
    assert known["required"] == ["day"]
    assert known["additionalProperties"] is False
    assert known["properties"] == {
        "day": {"type": "string"},
        "limit": {"type": "integer", "default": 5},
        "share": {"type": "number", "default": 0.5},
        "dry": {"type": "boolean", "default": False},
        "mode": {"enum": ["a", "b"], "default": "a"},
        "until": {"type": "string"},
        "odd": {},
        "more": {},
    }


def test_declared_schema_goes_before_the_signature(job):
    assert parameters.known_to(job) == SCHEMA


def test_arguments_of_a_callable_that_cannot_be_had_may_be_anything(db):
    assert parameters.known_to(make_job("a", callable="vanished"))["properties"] == {}


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({"kwargs": {"limit": 30}}, "kwargs", TOO_MUCH),
        ({"kwargs": {}}, "kwargs", "limit is missing"),
        ({"params_schema": {"type": "obj"}}, "params_schema", "is no JSON Schema: at $.type"),
        ({"params_schema": {"$ref": "http://x/y"}}, "params_schema", "only its own parts"),
    ],
)
def test_file_is_held_to_the_schema(fields, field, problem):
    entry = declaration("a", **{"params_schema": SCHEMA, "kwargs": {"limit": 3}, **fields})
    with pytest.raises(JobFileError) as caught:
        jobfile.parse(SOURCE, [entry])
    (fault,) = caught.value.faults
    assert (fault.where, fault.field) == ("job a", field)
    assert problem in fault.problem
    assert fault.hint


def test_secret_in_kwargs_is_not_told_with_the_fault():
    entry = declaration("a", params_schema=SCHEMA, kwargs={"limit": 3, "token": "hunter2-hunter2"})
    with pytest.raises(JobFileError, match="token is unknown") as caught:
        jobfile.parse(SOURCE, [entry])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"limit": 30}, TOO_MUCH),
        ({"colour": "red"}, "colour is unknown; known are: limit"),
        ({"limit": "***"}, "stands for a secret"),
        ({"a b": 1}, "no name of an argument"),
        ({"limit": float("nan")}, "cannot be stored"),
        ({"limit": "\0"}, "NUL"),
    ],
)
def test_run_is_held_to_the_schema(job, params, problem):
    with pytest.raises(ParameterError, match=problem):
        requests.run_now("a", params=params, requested_by="olga")
    assert not JobRun.objects.exists()


def test_run_that_fulfils_the_schema_is_queued_with_who_asked(job):
    run = requests.run_now("a", params={"limit": 10}, requested_by="olga")
    assert (run.params, run.requested_by) == ({"limit": 10}, "olga")


def test_command_is_held_to_the_schema(job):
    with pytest.raises(CommandError, match=TOO_MUCH):
        call_command("run_job", "a", "--param", "limit=30")


def test_every_other_door_is_held_to_the_schema(job, client):
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    admin, api = "/admin/scheduler_app/scheduledjob/a/change/", "/api/v1/scheduler/jobs/a"
    form = client.get(admin).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    sent = {name: "" if value is None else value for name, value in values.items() if value != []}
    for name, value in (("kwargs", '{"limit": 30}'), ("params_schema", '{"required": ["day"]}')):
        page = client.post(admin, {**sent, "why": "x", name: value})
        assert page.context["adminform"].form.errors[name], name
        answer = client.patch(api, f'{{"{name}": {value}}}', "application/json")
        assert answer.status_code == 400
    answer = client.post(f"{api}/run", '{"params": {"limit": 30}}', "application/json")
    assert (answer.status_code, TOO_MUCH in answer.json()["detail"]) == (400, True)
    assert ScheduledJob.objects.get().overrides == {}
    assert not JobRun.objects.exists()


def test_schema_and_arguments_are_changed_together(job, client):
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    change = '{"kwargs": {"day": "monday"}, "params_schema": {"required": ["day"]}}'
    answer = client.patch("/api/v1/scheduler/jobs/a", change, "application/json")
    assert answer.status_code == 200
    assert mirror.get("a").kwargs == {"day": "monday"}
