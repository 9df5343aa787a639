"""Readable lines where a project configured no logging for Vigil, and none twice where it did."""

from __future__ import annotations

import logging

import pytest

from scheduler_app import console_log


@pytest.fixture
def install(monkeypatch):
    """`install()` as a command does it, with logging as Django's default leaves it: without the handlers of pytest."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith(console_log.NAMES)]
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.NOTSET)

    def begin(keep_propagating=""):
        for name in {*console_log.NAMES} - {keep_propagating}:
            monkeypatch.setattr(logging.getLogger(name), "propagate", False)
        console_log.install(logging.INFO)

    yield begin
    for logger, level in before:
        logger.setLevel(level)
        for handler in logger.handlers:
            if isinstance(handler.formatter, console_log.EventFormatter):
                logger.removeHandler(handler)


RUNNER = logging.getLogger("scheduler_app.runner")
DISPATCHER = logging.getLogger("NotificationDispatcher")


def test_events_come_with_what_they_are_about(install, capsys):
    install()
    RUNNER.info("job_run_success", extra={"job_id": "nightly", "duration_ms": 12.3})
    DISPATCHER.error("sending failed", extra={"error": "two words"})
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("Z INFO job_run_success job_id=nightly duration_ms=12.3")
    assert second.endswith("Z ERROR sending failed error='two words'")


def test_a_second_command_adds_no_second_line(install, capsys):
    install()
    install()
    RUNNER.info("once")
    assert capsys.readouterr().err.count("once") == 1


@pytest.mark.parametrize("name", ["", "scheduler_app", "scheduler_app.runner"])
def test_the_projects_own_handler_decides_alone(install, capsys, name):
    said = []

    class Own(logging.Handler):
        def emit(self, record):
            said.append(record.getMessage())

    logger = logging.getLogger(name)
    logger.addHandler(own := Own())
    install(keep_propagating="" if name else "scheduler_app")
    RUNNER.error("once")
    logger.removeHandler(own)
    assert said == ["once"]
    assert "Z ERROR once" not in capsys.readouterr().err


def test_a_level_of_the_project_stays(install, capsys):
    logging.getLogger("scheduler_app").setLevel(logging.ERROR)
    install()
    RUNNER.info("quiet")
    RUNNER.error("loud")
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == ["loud"]


def test_lines_show_no_secret_and_no_control_character(install, capsys):
    install()
    RUNNER.info("odd\x1b[2J", extra={"error": "password=hunter2-hunter2\nINFO forged \x9b"})
    said = capsys.readouterr().err
    assert "hunter2" not in said
    assert len(said.splitlines()) == 1
    assert said.rstrip("\n").isprintable()


def test_an_exception_has_its_traceback(install, capsys):
    install()
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        RUNNER.exception("tick_failed")
    assert capsys.readouterr().err.rstrip().endswith("RuntimeError: boom")
