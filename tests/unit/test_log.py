from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from project import log
from project.log_file import SharedLogFile
from scheduler_app import masking

ROOT = Path(__file__).resolve().parents[2]

WRITER = """
import logging, sys
from pathlib import Path
from project.log_file import SharedLogFile
name, lines, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
logger = logging.getLogger("writer")
logger.setLevel("INFO")
logger.addHandler(SharedLogFile(path, max_bytes=4096, old_files=int(sys.argv[4])))
sys.stdin.readline()
for number in range(lines):
    logger.info("%s:%d:%s", name, number, "x" * (number % 97))
"""


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.fixture
def logger(tmp_path):
    """A logger whose lines end in tmp_path/scheduler.log."""
    one = logging.Logger("tests.log")
    handler = SharedLogFile(tmp_path / log.FILE_NAME)
    handler.setFormatter(log.formatter("json"))
    one.addHandler(handler)
    yield one
    handler.close()


@pytest.fixture
def lines(tmp_path):
    return lambda: [
        json.loads(line) for line in (tmp_path / log.FILE_NAME).read_bytes().split(b"\n") if line
    ]


def test_line_has_time_level_logger_event_and_each_extra(logger, lines):
    logger.info("job_run_start", extra={"job_id": "nightly", "run_id": 7})
    (line,) = lines()
    assert list(line) == ["timestamp", "level", "logger", "event", "job_id", "run_id"]
    assert list(line.values())[1:] == ["info", "tests.log", "job_run_start", "nightly", 7]


def test_timestamp_is_utc_with_microseconds(logger, lines):
    logger.info("tick")
    text = lines()[0]["timestamp"]
    assert datetime.fromisoformat(text).utcoffset() == timedelta(0)
    assert len(text) == len("2026-11-24T10:00:00.123456Z")


def test_exception_is_kept_as_text(logger, lines):
    try:
        raise ValueError("boom")
    except ValueError:
        logger.exception("job_run_failed")
    assert lines()[0]["exception"].endswith("ValueError: boom")


def test_extra_cannot_replace_the_message(logger, lines):
    extra = {"event": "x", "level": "x", "logger": "x", "timestamp": "x"}
    logger.warning("real", extra=extra)
    (line,) = lines()
    assert (line["event"], line["level"], line["logger"]) == ("real", "warning", "tests.log")


@pytest.mark.parametrize(
    ("message", "extra"),
    [
        ("password=hunter22", {}),
        ("the hunter22 itself", {}),
        ("x", {"url": "https://example.com/send?key=hunter22"}),
        ("x", {"password": "hunter22"}),
        ("x", {"api_token": "two words hunter22"}),
        ("x", {"deep": {"list": [("secret: hunter22",)]}}),
        ("x", {"error": ValueError("token=hunter22")}),
    ],
)
def test_secret_does_not_reach_the_file(logger, lines, monkeypatch, message, extra):
    monkeypatch.setattr(masking, "_secrets", {"hunter22"} if "itself" in message else set())
    logger.error(message, extra=extra)
    assert "hunter22" not in json.dumps(lines())
    assert masking.MASK in json.dumps(lines())


def test_secret_that_became_known_later_is_hidden_in_a_line_seen_before(logger, lines, monkeypatch):
    monkeypatch.setattr(masking, "_secrets", set())
    logger.info("said", extra={"word": "hunter22"})
    masking.add_secret("hunter22")
    logger.info("said", extra={"word": "hunter22"})
    assert [line["word"] for line in lines()] == ["hunter22", masking.MASK]


def test_secret_in_an_exception_does_not_reach_the_file(logger, lines):
    try:
        raise ValueError("postgres://vigil:hunter22@db/vigil")
    except ValueError:
        logger.exception("failed")
    assert "hunter22" not in json.dumps(lines())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), "nan"),
        (Unprintable(), "<unprintable Unprintable>"),
        ("a\nb\u2028c", "a\nb\u2028c"),
        ("half \ud83d", "half \ud83d"),
        ({1: {2}}, {"1": [2]}),
        (True, True),
    ],
)
def test_odd_value_is_one_json_line(logger, lines, value, shown):
    logger.info("odd", extra={"value": value})
    assert [line["value"] for line in lines()] == [shown]


def test_value_that_holds_itself_ends(logger, lines):
    loop: list[object] = []
    loop.append(loop)
    logger.info("loop", extra={"value": loop})
    assert len(lines()) == 1


def test_folder_that_cannot_be_made_is_told_once_and_breaks_nothing(tmp_path, capsys):
    (tmp_path / "file").touch()
    handler = SharedLogFile(tmp_path / "file" / "log")
    for _ in range(3):
        handler.handle(logging.makeLogRecord({"msg": "x"}))
    assert capsys.readouterr().err.count("does not work") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk_is_told_once_and_breaks_nothing(capsys):
    handler = SharedLogFile(Path("/dev/full"))
    for _ in range(3):
        handler.handle(logging.makeLogRecord({"msg": "x"}))
    handler.close()
    assert capsys.readouterr().err.count("No space left") == 1


def test_file_that_was_moved_away_is_made_again(logger, lines, tmp_path):
    logger.info("first")
    (tmp_path / log.FILE_NAME).rename(tmp_path / "moved")
    logger.info("second")
    assert [line["event"] for line in lines()] == ["second"]


def test_only_so_many_old_files_are_kept(tmp_path):
    handler = SharedLogFile(tmp_path / "log", max_bytes=50, old_files=2)
    for number in range(9):
        handler.handle(logging.makeLogRecord({"msg": f"{number} {'x' * 40}"}))
    handler.close()
    kept = sorted(path for path in tmp_path.iterdir() if not path.name.startswith("."))
    assert [path.name for path in kept] == ["log", "log.1", "log.2"]
    assert [path.read_text()[0] for path in kept] == ["8", "7", "6"]


def test_four_processes_under_rotation_tear_and_lose_no_line(tmp_path):
    path, count = tmp_path / "log", 1500
    _let_write(path, ["a", "b", "c", "d"], count, old_files=1000)
    found = _read_all(tmp_path)
    assert len(list(tmp_path.glob("log.*"))) > 3
    assert sorted(found) == sorted(
        f"{name}:{number}:{'x' * (number % 97)}" for name in "abcd" for number in range(count)
    )


def test_line_rotated_out_of_existence_is_written_again(tmp_path):
    """With one old file each rotation deletes what a slower writer may just have written to."""
    handler = SharedLogFile(tmp_path / "log")
    handler.handle(logging.makeLogRecord({"msg": "first"}))
    write = handler._write

    def write_late(line: bytes) -> None:
        handler._write = write  # type: ignore[method-assign]
        (tmp_path / "log").unlink()
        write(line)

    handler._write = write_late  # type: ignore[method-assign]
    handler.handle(logging.makeLogRecord({"msg": "second"}))
    handler.close()
    assert (tmp_path / "log").read_text() == "second\n"


def test_process_stopped_while_it_rotates_holds_up_nobody(tmp_path):
    stopped, other = (SharedLogFile(tmp_path / "log", max_bytes=10) for _ in range(2))
    with stopped._rotation_lock() as is_mine:
        for number in range(3):
            other.handle(logging.makeLogRecord({"msg": f"line {number}"}))
    other.close()
    assert is_mine
    assert (tmp_path / "log").read_text().split("\n")[:3] == ["line 0", "line 1", "line 2"]


def test_command_keeps_stdout_for_its_data(tmp_path):
    out, err = _run_configured(tmp_path, "")
    assert out == ""
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["warned"]


@pytest.mark.parametrize("how", ["log.to_stdout()", "sys.argv[1:] = ['runscheduler']"])
def test_service_logs_to_stdout(tmp_path, how):
    out, err = _run_configured(tmp_path, how)
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["told", "warned"]
    assert err == ""


@pytest.mark.parametrize(
    ("command", "is_service"),
    [
        ("manage.py runscheduler --once", True),
        ("manage.py notification_worker", True),
        ("/srv/vigil/.venv/bin/celery --quiet -A project worker -Q default", True),
        ("/usr/lib/python3/site-packages/celery/__main__.py -A project worker", True),
        ("/usr/lib/python3/site-packages/celery/__main__.py -A project inspect ping", False),
        ("/srv/celery/manage.py worker", False),
        ("manage.py sync_jobs", False),
        ("manage.py", False),
    ],
)
def test_services_are_known_by_their_command(command, is_service):
    assert log._is_service(command.split()) is is_service


def test_configuring_twice_says_nothing_twice(tmp_path):
    out, _ = _run_configured(tmp_path, "log.to_stdout(); log.configure(options)")
    assert len(out.splitlines()) == 2
    assert len((tmp_path / log.FILE_NAME).read_text().splitlines()) == 2


@pytest.mark.parametrize(("key", "value"), [("LEVEL", "LOUD"), ("FORMAT", "xml")])
def test_unknown_option_is_refused_by_its_name(tmp_path, key, value):
    options = {"DIR": str(tmp_path), "FORMAT": "json", "LEVEL": "INFO", key: value}
    with pytest.raises(ValueError, match=f"LOG_{key} is '{value}'".replace("loud", "LOUD")):
        log.configure(options)


def test_console_format_is_for_reading(tmp_path):
    record = logging.makeLogRecord({"msg": "hello", "levelname": "INFO", "name": "x", "job_id": 1})
    text = log.formatter("console").format(record)
    assert "hello" in text
    assert "job_id=1" in text
    assert "\x1b" not in text


def _let_write(path, names, lines, *, old_files):
    command = [sys.executable, "-c", WRITER]
    writers = [
        subprocess.Popen(
            [*command, name, str(lines), str(path), str(old_files)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        assert writer.communicate(timeout=60)[1] == ""


def _read_all(folder):
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return [line for path in files for line in path.read_text().splitlines()]


def _run_configured(folder, how):
    """Configure in a process of its own (this one's logging is pytest's), log twice; its stdout and stderr."""
    code = (
        "import logging, sys; from project import log; "
        "logger = logging.getLogger('x'); "
        f"options = {{'DIR': {str(folder)!r}, 'FORMAT': 'json', 'LEVEL': 'INFO'}}; "
        f"{how if 'argv' in how else '0'}; log.configure(options); {how or '0'}; "
        "logger.info('told'); logger.warning('warned')"
    )
    environment = {key: value for key, value in os.environ.items() if key != log.STDOUT_VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr


FORGED = "2026-01-01T00:00:00.000000Z [info     ] all is well"


def test_console_line_cannot_be_forged_by_what_is_logged():
    text = f"broken\n{FORGED}\r\x1b[2J\u202e"
    try:
        raise ValueError(text)
    except ValueError:
        error = sys.exc_info()
    fields = {"msg": text, "levelname": "ERROR", "name": "x", "title": text, "exc_info": error}
    line = log.formatter("console").format(logging.makeLogRecord(fields))
    assert not any(one.startswith("2026-01-01") for one in line.splitlines()[1:])
    assert not set("\r\x1b\u202e") & set(line)
    assert "ValueError: broken" in line
