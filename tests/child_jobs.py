"""Bodies for processes of their own: what may go wrong there."""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import logging
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from django.db import connection

from scheduler_app.running import RunCancelled, SkipRun, current_run

logger = logging.getLogger(__name__)


def family(path: str, seconds: float = 60.0) -> None:
    """Has a child of its own, and that one another; writes their numbers to `path`."""
    shell = f"sleep {seconds:g} & echo $! >> {path}; wait"
    grandchild = subprocess.Popen(["/bin/sh", "-c", shell])
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n{grandchild.pid}\n")
    while len(Path(path).read_text().split()) < 3:
        time.sleep(0.01)
    logger.info("all are there")
    time.sleep(seconds)


def deaf_family(path: str) -> None:
    """The same, and nobody hears SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    family(path)


def clean_up(path: str, seconds: float = 60.0) -> None:
    try:
        time.sleep(seconds)
    except Exception:
        Path(path).write_text("caught as an error")
    finally:
        logger.info("cleaning up")
        Path(path).write_text("clean")


async def clean_up_async(path: str, seconds: float = 60.0) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        Path(path).write_text("clean")


def finish_in_spite(seconds: float = 60.0) -> str:
    try:
        time.sleep(seconds)
    except RunCancelled:
        logger.info("not now")
    return "finished all the same"


def fail_when_stopped(seconds: float = 60.0) -> None:
    try:
        time.sleep(seconds)
    finally:
        raise ValueError("the clean-up failed")


def deaf(seconds: float = 60.0) -> None:
    print("I hear nothing")  # noqa: T201 - what this job is for
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        try:
            time.sleep(seconds)
        except BaseException:
            continue


def hold_the_interpreter(seconds: float = 60.0) -> None:
    """Waits in C code that neither releases the interpreter nor looks at signals."""
    libc = ctypes.PyDLL(None)
    end_s = time.monotonic() + seconds
    while True:
        libc.sleep(int(seconds))
        if time.monotonic() >= end_s:
            return


def die(number: int) -> None:
    print("last words")  # noqa: T201
    os.kill(os.getpid(), number)
    time.sleep(60)


def leave_abruptly(code: int) -> None:
    print("last words")  # noqa: T201
    os._exit(code)


def flood(lines: int) -> None:
    for number in range(lines):
        print(f"line {number}")  # noqa: T201


def shout(size: int) -> None:
    print("first", "x" * size, "last")  # noqa: T201


def echo(value: Any) -> Any:
    return value


def leave_a_process_behind(path: str) -> str:
    process = subprocess.Popen(["/bin/sleep", "60"])
    Path(path).write_text(str(process.pid))
    return "done"


def leave_a_thread_behind(path: str, seconds: float) -> str:
    def later() -> None:
        time.sleep(seconds)
        print("from a thread")  # noqa: T201
        Path(path).write_text("written")

    threading.Thread(target=later).start()
    return "done"


def register_at_exit(path: str) -> None:
    atexit.register(lambda: Path(path).write_text("written"))


def skip() -> None:
    raise SkipRun("nothing to do")


def cancel_itself() -> None:
    raise RunCancelled("I had enough")


def heed(path: str) -> None:
    """A body that looks whether it is to end."""
    run = current_run()
    assert run is not None
    Path(path).write_text("at work")
    while True:
        run.check_cancelled()
        time.sleep(0.01)


def surroundings() -> dict[str, Any]:
    """What the process was given."""
    links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return {
        "leads_its_session": os.getsid(0) == os.getpid(),
        "threads": threading.active_count(),
        "connected": connection.connection is not None,
        "sigint_is_usual": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "blocked": [int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "sockets": sum(link.startswith("socket:") for link in links),
    }


def use_workers() -> list[int]:
    """Has work done by processes of its own, one of which it ends."""
    fork = multiprocessing.get_context("fork")
    with fork.Pool(2) as pool:
        squares = pool.map(_square, range(5))
    idle = fork.Process(target=time.sleep, args=(60,))
    idle.start()
    idle.terminate()
    idle.join()
    return [*squares, idle.exitcode]


def _square(number: int) -> int:
    print(f"square of {number}")  # noqa: T201
    return number * number
