"""Commands of manage.py as jobs: declared, checked, run, and what comes of them."""

from __future__ import annotations

import pytest
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError

from scheduler_app import (
    callables,
    claims,
    jobfile,
    ledger,
    management_callable,
    parameters,
    verify,
)
from scheduler_app.capture import capturing
from scheduler_app.clock import db_now
from scheduler_app.errors import CallableError, JobFileError, ParameterError
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.runner import handle_of, wrap_job_callable
from scheduler_app.states import RunState
from tests.factories import SOURCE, declaration, start_run, sync, sync_allowed


class Command(BaseCommand):
    """The command `tidy` of these tests."""

    def add_arguments(self, parser):
        parser.add_argument("shelf", nargs="?", default="top")
        parser.add_argument("--days", type=int, default=3, help="How old.")
        parser.add_argument("--dry-run", action="store_true")
        parser.add_argument("--no-input", action="store_false", dest="interactive")
        parser.add_argument("--how", choices=["gently", "badly", "not at all"], default="gently")

    def handle(self, *, shelf, days, dry_run, interactive, how, **options):
        if how == "badly":
            raise CommandError("the shelf fell down")
        if how == "not at all":
            raise SystemExit(4)
        self.stdout.write(f"{shelf}, {days} days, asks: {interactive}")
        self.stderr.write("dust")
        return "tidy" if not dry_run else "would be tidy"


@pytest.fixture(autouse=True)
def tidy(monkeypatch):
    """Django knows the command `tidy`; `broken` cannot be imported."""
    monkeypatch.setitem(get_commands(), "tidy", "tests")
    monkeypatch.setitem(get_commands(), "broken", "tests.nowhere")
    load = management_callable.load_command_class

    def find(app, name):
        return Command() if name == "tidy" else load(app, name)

    monkeypatch.setattr(management_callable, "load_command_class", find)


def entry(name="tidy", **fields):
    declared = declaration("a", callable=f"management:{name}")
    del declared["module"]
    return {**declared, **fields}


@pytest.fixture
def run_command(db, monkeypatch):
    def run_command(**fields) -> JobRun:
        sync(entry(**fields))
        job = ScheduledJob.objects.get()
        sync_allowed(monkeypatch, job)
        run = start_run("a")
        (task,) = claims.taken(run.token)
        with capturing():
            ledger.finish([wrap_job_callable(task, handle_of(task))()])
        run.refresh_from_db()
        return run

    return run_command


def faults_of(declared) -> str:
    with pytest.raises(JobFileError) as caught:
        jobfile.parse(SOURCE, [declared])
    return str(caught.value)


def test_output_and_result_are_kept_with_the_run(run_command, capfd):
    run = run_command(args=["bottom"], kwargs={"days": 9})
    assert (run.state, run.result) == (RunState.SUCCESS, "tidy")
    assert "bottom, 9 days, asks: False\ndust\ntidy" in run.log
    assert "bottom" not in "".join(capfd.readouterr())


def test_command_may_be_told_to_ask(run_command):
    assert "asks: True" in run_command(kwargs={"interactive": True}).log


@pytest.mark.parametrize(
    ("how", "error"),
    [("badly", "CommandError: the shelf fell down"), ("not at all", "SystemExit: 4")],
)
def test_command_that_gives_up_is_a_failed_run_with_its_text(run_command, how, error):
    run = run_command(kwargs={"how": how})
    assert (run.state, run.error) == (RunState.FAILED, error)


def test_module_is_left_out_or_empty():
    left_out, empty = entry(), entry(module="")
    files = [jobfile.parse(SOURCE, [one]) for one in (left_out, empty)]
    assert [file.jobs[0].module for file in files] == ["", ""]
    assert files[0].digest == files[1].digest
    assert "module 'shop.jobs' is not empty. Leave it out" in faults_of(entry(module="shop.jobs"))


def test_function_has_a_module():
    declared = declaration("a")
    assert "module '' is missing" in faults_of({**declared, "module": ""})
    del declared["module"]
    assert "module is missing" in faults_of(declared)


@pytest.mark.parametrize(
    ("args", "kwargs", "problem"),
    [
        (["a", "b"], {}, "unrecognized arguments: b"),
        ([], {"colour": "red"}, "Unknown option(s) for"),
        ([], {"colour": "red"}, "dry_run"),
        (["--days", "x"], {}, "invalid int value: 'x'"),
        (["--help"], {}, "management:tidy"),
    ],
)
def test_arguments_that_the_command_does_not_take_are_told(settings, args, kwargs, problem):
    settings.VIGIL_SCHEDULER = {"ALLOWED_MODULES": ["management:tidy"]}
    with pytest.raises(ParameterError) as caught:
        parameters.check("", "management:tidy", args, kwargs, {})
    assert problem in str(caught.value)


def test_checking_runs_nothing(settings, capsys):
    settings.VIGIL_SCHEDULER = {"ALLOWED_MODULES": ["management:tidy"]}
    parameters.check("", "management:tidy", ["top"], {"days": 1, "how": "badly"}, {})
    assert capsys.readouterr().out == ""


def test_options_are_known_with_their_kinds(settings):
    settings.VIGIL_SCHEDULER = {"ALLOWED_MODULES": ["management:tidy"]}
    schema = callables.resolve("", "management:tidy").schema()
    assert set(schema["properties"]) == {"verbosity", "days", "dry_run", "interactive", "how"}
    assert schema["properties"]["days"] == {
        "type": "integer", "default": 3, "description": "How old.",
    }  # fmt: skip
    assert schema["properties"]["dry_run"] == {"type": "boolean", "default": False}
    assert schema["properties"]["how"]["enum"] == ["gently", "badly", "not at all"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("tidi", "There is no management command 'tidi'. Did you mean tidy?"),
        ("xyzzy-42", "There is no management command 'xyzzy-42'."),
        ("broken", "The management command broken cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_command_that_cannot_be_had_is_told(settings, name, problem):
    settings.VIGIL_SCHEDULER = {"ALLOWED_MODULES": [f"management:{name}"]}
    with pytest.raises(CallableError) as caught:
        callables.resolve("", f"management:{name}")
    assert problem in str(caught.value)


@pytest.mark.django_db
def test_verification_finds_what_is_wrong_with_a_command(tmp_path, settings, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    wrong = [entry("tidi"), {**entry(), "id": "b", "kwargs": {"colour": "red"}}]
    (tmp_path / "commands_as_jobs.py").write_text(f"JOBS = {[*wrong, {**entry(), 'id': 'c'}]!r}")
    settings.VIGIL_SCHEDULER = {"JOB_FILE": "commands_as_jobs"}
    found = verify.verify(db_now(), offline=True).findings
    assert [(one.kind, one.job) for one in found] == [("callable", "a"), ("signature", "b")]
