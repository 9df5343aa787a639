from __future__ import annotations

import sys
from typing import Any

import pytest

from scheduler_app import jobfile, masking
from scheduler_app.errors import JobFileError
from tests.factories import declaration


@pytest.fixture
def write(tmp_path, monkeypatch):
    """`write(text, name="file_of_jobs")` makes a module of that text; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(text: str | bytes, name: str = "file_of_jobs") -> str:
        path = tmp_path / f"{name}.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    return make


def faults_of(jobs: Any, sections: Any = None) -> list[str]:
    with pytest.raises(JobFileError) as caught:
        jobfile.parse("f", jobs, sections)
    return str(caught.value).splitlines()


def problem_of(module: str) -> str:
    with pytest.raises(JobFileError) as caught:
        jobfile.load(module)
    return str(caught.value)


def test_file_is_read(write):
    file = jobfile.load(write(f"JOBS = [{declaration('a')!r}]\nCHANNELS = {{'EMAIL': {{}}}}"))
    assert [job.id for job in file.jobs] == ["a"]
    assert file.channels == {"EMAIL": {}}
    assert file.path.endswith("file_of_jobs.py")


def test_reading_leaves_nothing_behind_and_sees_the_newest_text(write):
    name = write("JOBS = []")
    assert jobfile.load(name).jobs == ()
    write(f"JOBS = [{declaration('a')!r}]")
    assert len(jobfile.load(name).jobs) == 1
    assert name not in sys.modules


def test_every_fault_is_told_at_once():
    lines = faults_of(
        [
            declaration("a", cron="61 * * * *", owner=""),
            declaration("b", colour="red", enabled="yes"),
            {"id": "c"},
            "d",
        ]
    )
    assert [line.split(" ")[1].rstrip(":") for line in lines[:4]] == ["a", "a", "b", "b"]
    assert sum(line.startswith("job c: ") and "is missing" in line for line in lines) == 7
    assert lines[-1].startswith("JOBS entry 4 is not a dict")


def test_fault_has_job_field_value_and_hint():
    (line,) = faults_of([declaration("a", severity="FATAL")])
    assert line == (
        "job a: severity 'FATAL' is unknown. Use one of INFO, WARNING, ERROR, CRITICAL."
    )


def test_unknown_field_gets_the_nearest_one():
    (line,) = faults_of([declaration("a", timezon="UTC")])
    assert line.endswith("timezon is no field. Did you mean timezone?")


def test_field_that_is_near_nothing_gets_the_list():
    (line,) = faults_of([{**declaration("a"), 5: 1}])
    assert "5 is no field. Fields: id, name," in line


@pytest.mark.parametrize("second", [declaration("a"), declaration("a", cron="bad")])
def test_id_that_is_declared_twice_is_told_once(second):
    lines = faults_of([declaration("a"), second, declaration("b")])
    assert sum("declared twice" in line for line in lines) == 1


@pytest.mark.parametrize("jobs", [None, {}, "JOBS", 5])
def test_jobs_has_to_be_a_list(jobs):
    assert faults_of(jobs) == ["JOBS is not a list. Write JOBS = [{'id': ..., ...}, ...]."]


@pytest.mark.parametrize("raw", [None, [], {"EMAIL": None}, {"EMAIL": True}])
def test_section_has_to_be_a_dict_of_dicts(raw):
    (line,) = faults_of([], {"CHANNELS": raw})
    assert line.startswith("CHANNELS is not a dict of dicts")


def test_faults_of_a_section_stand_beside_those_of_jobs():
    lines = faults_of([declaration("a", cron="")], {"CHANNELS": {"PIGEON": {"enabled": 1}}})
    assert len(lines) == 3
    assert "PIGEON" in lines[1]


def test_value_that_cannot_show_itself_is_a_fault_like_any_other():
    class Odd:
        def __repr__(self):
            raise RuntimeError("no repr")

    (line,) = faults_of([declaration("a", owner=Odd())])
    assert "owner <Odd instance" in line


def test_huge_value_is_cut():
    (line,) = faults_of([declaration("a", enabled="x" * 1_000_000)])
    assert len(line) < 300


def test_secret_in_a_value_is_not_shown():
    masking.add_secret("hunter2-hunter2")
    (line,) = faults_of([declaration("a", enabled="hunter2-hunter2")])
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("JOBS = [", "line 1: '[' was never closed"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("1 / 0", "ZeroDivisionError"),
        (b"JOBS = []\0", "null bytes"),
        (b"x = '\xff'", "utf-8"),
        ("def f(): f()\nf()", "RecursionError"),
        ("", "JOBS is not a list"),
    ],
)
def test_file_that_cannot_be_read_is_told(write, text, problem):
    assert problem in problem_of(write(text))


def test_fault_in_an_imported_file_names_that_file(write):
    write("x = (", "other_file")
    assert "other_file.py, line 1" in problem_of(write("import other_file"))


@pytest.mark.parametrize("module", ["", "no_such_module", "no_such.module", "sys.nothing", ".a"])
def test_module_that_is_nowhere_is_told_with_the_setting(module):
    assert "VIGIL_SCHEDULER['JOB_FILE']" in problem_of(module)


def test_package_that_breaks_while_it_is_looked_for_is_told(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "breaking").mkdir()
    (tmp_path / "breaking" / "__init__.py").write_text("raise SystemExit('gone')")
    assert "cannot be found: gone" in problem_of("breaking.jobs")


def test_file_may_import_from_its_own_package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").touch()
    (tmp_path / "own_package" / "owners.py").write_text("OWNER = 'olga'")
    entry = repr(declaration("a")).replace("'olga'", "OWNER")
    (tmp_path / "own_package" / "jobs.py").write_text(
        f"from .owners import OWNER\nJOBS = [{entry}]"
    )
    assert jobfile.load("own_package.jobs").jobs[0].owner == "olga"


def test_digest_is_of_what_the_file_says():
    plain = jobfile.parse("f", [declaration("a")]).digest
    assert jobfile.parse("f", [declaration("a", cron="@hourly")]).digest != plain
    assert jobfile.parse("f", [declaration("a", enabled=True)]).digest == plain
    assert jobfile.parse("g", (declaration("a"),), {"CHANNELS": {}}).digest == plain
    assert jobfile.parse("f", [declaration("a")], {"CHANNELS": {"SMS": {}}}).digest != plain
