"""Callables that the tests' jobs name."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from scheduler_app.running import SkipRun, current_run

logger = logging.getLogger(__name__)


def succeed(text: str = "done") -> str:
    return text


def take_anything(*positional: object, **named: object) -> str:
    return repr(named)


def fail(text: str = "boom") -> None:
    raise ValueError(text)


def skip() -> None:
    raise SkipRun("nothing to do")


def leave() -> None:
    raise SystemExit(3)


def wait(seconds: float = 1.0) -> str:
    time.sleep(seconds)
    return f"waited {seconds}"


def speak() -> dict[str, int]:
    logger.info("a log line")
    print("a printed line")  # noqa: T201 - what this job is for
    run = current_run()
    assert run is not None
    run.progress(50, "half way")
    return {"run": run.id}


async def succeed_async() -> str:
    return "async done"


def note(path: str, text: str = "") -> None:
    """Append a line to `path`: a body that leaves a trace outside of the database."""
    run = current_run()
    line = f"{run.id if run else '-'} {os.getpid()} {text}\n"
    with Path(path).open("a") as file:
        file.write(line)


def note_and_wait(path: str, seconds: float = 0.2) -> None:
    note(path)
    time.sleep(seconds)


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def return_unshowable() -> Unshowable:
    return Unshowable()


def fail_hugely() -> None:
    raise ValueError("\x00💥" + "x" * 1_000_000)


def talk_and_wait(seconds: float = 30.0) -> None:
    run = current_run()
    assert run is not None
    logger.info("on my way")
    run.progress(50, "half way")
    time.sleep(seconds)


def fail_while(path: str) -> None:
    """Fails as long as the file `path` exists."""
    if Path(path).exists():
        raise ValueError("boom")


def return_hugely() -> str:
    return "\x00💥" + "长" * 1_000_000
