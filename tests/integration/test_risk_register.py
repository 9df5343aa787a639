from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from alerts_app import risk_register
from scheduler_app import documents, ledger
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.states import RunState
from tests.factories import make_job, start_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def register(tmp_path, settings) -> Path:
    settings.VIGIL_ALERTS = {"RISK_REGISTER": str(tmp_path / "docs" / "RISKS.md")}
    return tmp_path / "docs" / "RISKS.md"


def run(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("risk_register", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def fail(job_id: str, error: str) -> None:
    run = start_run(job_id)
    ledger.finish(
        [
            RunResult(
                run_id=run.pk, token=run.token, state=RunState.FAILED,
                started_at=db_now(), finished_at=db_now(), duration_ms=1, error=error,
            )
        ]
    )  # fmt: skip


def test_row_has_owner_and_last_error(register):
    make_job("nightly", owner="olga")
    fail("nightly", "ValueError: boom")
    out, err = run("add", "--job", "nightly")
    assert out.strip() == "R-001"
    assert "olga" in err
    today = f"{db_now():%Y-%m-%d}"
    assert register.read_text().splitlines()[-1] == (
        f"| R-001 | {today} | nightly | olga | last error: ValueError: boom | open |"
    )


def test_own_words_come_first(register):
    make_job("nightly")
    fail("nightly", "boom")
    run("add", "--job", "nightly", "--text", "Upstream moved")
    assert risk_register.all_risks()[0].text == "Upstream moved; last error: boom"


def test_job_that_never_failed_may_be_a_risk(register):
    make_job("nightly")
    run("add", "--job", "nightly")
    assert risk_register.all_risks()[0].text == "no error is known"


@pytest.mark.parametrize(
    "text",
    ["a | b", "two\nlines", "<!-- hidden", "back\\slash | and & amp; 夜间", "\\", "ends \\|"],
)
def test_whatever_happened_stays_one_cell(register, text):
    make_job("nightly")
    run("add", "--job", "nightly", "--text", text)
    run("add", "--job", "nightly")
    first, second = risk_register.all_risks()
    assert first.text == " ".join(text.split())
    assert (first.status, second.status) == ("open", "open")
    assert "<!--" not in register.read_text()


def test_rows_are_numbered_on_and_stay_in_order(register):
    make_job("nightly")
    for _ in range(3):
        run("add", "--job", "nightly")
    assert [risk.id for risk in risk_register.all_risks()] == ["R-001", "R-002", "R-003"]


def test_edits_by_hand_are_kept(register):
    make_job("nightly")
    run("add", "--job", "nightly")
    text = register.read_text().replace("| open |", "| closed by olga |") + "\nWords below.\n"
    register.write_text(text.replace("R-001", "R-041"))
    run("add", "--job", "nightly")
    assert [(risk.id, risk.status) for risk in risk_register.all_risks()] == [
        ("R-041", "closed by olga"), ("R-042", "open")
    ]  # fmt: skip
    assert register.read_text().endswith("| open |\n\nWords below.\n")


def test_document_without_a_table_gets_one(register):
    register.parent.mkdir()
    register.write_text("# Our risks\n")
    make_job("nightly")
    run("add", "--job", "nightly")
    assert register.read_text().startswith("# Our risks\n\n| ID | Date |")
    assert len(risk_register.all_risks()) == 1


def test_secret_in_an_error_is_not_written(register):
    make_job("nightly")
    run("add", "--job", "nightly", "--text", "smtp://bot:hunter2-secret@mail")
    assert "hunter2" not in register.read_text()


def test_unknown_job_ends_with_2_and_writes_nothing(register):
    with pytest.raises(CommandError, match="There is no job 'nobody'") as caught:
        run("add", "--job", "nobody")
    assert caught.value.returncode == 2
    assert not register.exists()


def test_register_that_cannot_be_written_ends_with_2(register):
    make_job("nightly")
    register.mkdir(parents=True)
    with pytest.raises(CommandError, match=r"RISKS\.md") as caught:
        run("add", "--job", "nightly")
    assert caught.value.returncode == 2


def test_list_of_nothing_is_empty(register):
    assert json.loads(run("list", "--format", "json")[0]) == []


def test_list_shows_the_rows(register):
    make_job("nightly")
    run("add", "--job", "nightly", "--text", "a | b")
    assert "a | b" in run("list")[0]
    assert json.loads(run("list", "--format", "json")[0])[0]["job"] == "nightly"


def test_two_at_once_lose_no_line(tmp_path):
    path = tmp_path / "lines"

    def add(number: int) -> None:
        documents.edit(path, lambda text: f"{text}{number}\n")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(100)))
    assert sorted(map(int, path.read_text().split())) == list(range(100))
