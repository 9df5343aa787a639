# ruff: noqa: T201, PTH109, PTH123, SIM115 - they do what jobs do
"""Bodies that leave something behind in their process, and a witness that says what it finds there."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import ctypes
import io
import locale
import logging
import logging.config
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.utils import timezone, translation

from scheduler_app.running import SkipRun, current_run


def witness(mark: str) -> dict[str, Any]:
    """Store a row, print and log a line; returns what it finds in its process."""
    Group.objects.create(name=mark)
    print(f"printed by {mark}")
    logging.getLogger("tests.witness").warning("logged by %s", mark)
    return {
        "streams": [type(sys.stdout).__name__, sys.stdout.encoding, sys.stdout.closed],
        "working directory": os.getcwd(),
        "umask": Path("/proc/self/status").read_text().partition("Umask:")[2].split()[0],
        "locale": locale.setlocale(locale.LC_ALL),
        "language": translation.get_language(),
        "time zone": timezone.get_current_timezone_name(),
        "socket timeout": socket.getdefaulttimeout(),
        "warnings": [one[0] for one in warnings.filters],
        "recursion limit": sys.getrecursionlimit(),
        "database": _session(),
    }


def _session() -> Any:
    statement = "PRAGMA foreign_keys" if connection.vendor == "sqlite" else "SHOW statement_timeout"
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [cursor.fetchone()[0], connection.in_atomic_block, len(connection.execute_wrappers)]


def leave_transaction() -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO auth_group (name) VALUES ('never committed')")


def leave_atomic_block() -> None:
    transaction.atomic().__enter__()
    Group.objects.create(name="never committed")


def switch_autocommit_off() -> None:
    transaction.set_autocommit(False)
    Group.objects.create(name="never committed")


async def leave_transaction_async() -> None:
    await sync_to_async(leave_transaction)()


def skip_inside_transaction() -> NoReturn:
    leave_transaction()
    raise SkipRun("nothing to do")


def fail_inside_transaction() -> NoReturn:
    leave_transaction()
    raise ValueError("boom")


def commit_by_hand() -> None:
    transaction.set_autocommit(False)
    Group.objects.create(name="committed by hand")
    transaction.commit()


def change_session() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA foreign_keys = OFF")
        else:
            cursor.execute("SET statement_timeout = '7s'")


def break_wrappers() -> None:
    def refuse(*_arguments: Any) -> NoReturn:
        raise RuntimeError("a wrapper that an earlier body left behind")

    connection.execute_wrappers.append(refuse)


def use_pool() -> list[int]:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(abs, [-1, -2])


def query_in_pool() -> list[int]:
    Group.objects.count()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        counts = pool.map(_count_groups, range(4))
    Group.objects.count()
    return [len(counts), min(counts) >= 0]


def _count_groups(_number: int) -> int:
    return Group.objects.count()


def fork_and_return() -> str:
    pid = os.fork()
    if pid == 0:
        return "this process must not go on as a scheduler"
    _pid, status = os.waitpid(pid, 0)
    return f"ended with {os.waitstatus_to_exitcode(status)}"


def fork_and_fail() -> str:
    pid = os.fork()
    if pid == 0:
        raise ValueError("in the forked process")
    _pid, status = os.waitpid(pid, 0)
    return f"ended with {os.waitstatus_to_exitcode(status)}"


def fork_and_leave_running(path: str) -> None:
    """The forked process outlives the run, as a daemon would; a thread of the body's own forks it."""

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        Path(path).write_text(str(pid))

    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()


def replace_stdout() -> None:
    sys.stdout = open(os.devnull, "w")
    sys.stdout.close()


def close_stdout() -> None:
    sys.stdout.close()


def redirect_and_wait(path: str) -> None:
    """Print into nothing until `path` exists."""
    Path(f"{path}.begun").touch()
    with contextlib.redirect_stdout(io.StringIO()):
        while not Path(path).exists():
            print("into nothing")
            time.sleep(0.01)


def print_beside(path: str) -> None:
    """Print while another body has redirected its stdout."""
    while not Path(f"{path}.begun").exists():
        time.sleep(0.01)
    print("seen")
    Path(path).touch()


def write_bytes() -> list[Any]:
    sys.stdout.buffer.write(b"caf\xc3\xa9 \xff\n")
    sys.stdout.flush()
    sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)
    sys.stdout.writelines(["one\n", "two\n"])
    print("to stderr", file=sys.stderr)
    return [sys.stdout.encoding, sys.stdout.isatty(), sys.stdout.writable(), sys.stdout.mode]


class Hostile:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


class HostileError(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


def return_hostile_value() -> Hostile:
    return Hostile(SystemExit(3))


def raise_hostile_error() -> NoReturn:
    raise HostileError


def generate(path: str) -> Generator[int, None, str]:
    for number in range(3):
        _note(path)
        yield number
    return "generated"


async def generate_async(path: str) -> AsyncIterator[int]:
    for number in range(3):
        await asyncio.sleep(0)
        _note(path)
        yield number


class Awaitable:
    def __init__(self, path: str) -> None:
        self.path = path

    def __await__(self) -> Generator[Any, Any, str]:
        yield from asyncio.sleep(0).__await__()
        for _number in range(3):
            _note(self.path)
        return "awaited"


def return_awaitable(path: str) -> Awaitable:
    return Awaitable(path)


def return_map(path: str) -> Iterator[None]:
    return map(_note, [path] * 3)


def return_future(path: str) -> concurrent.futures.Future[str]:
    future: concurrent.futures.Future[str] = concurrent.futures.Future()

    def work() -> None:
        for _number in range(3):
            _note(path)
        future.set_result("worked")

    threading.Timer(0.05, work).start()
    return future


def _note(path: str) -> None:
    with Path(path).open("a") as file:
        file.write("x")


def silence_logging() -> None:
    logging.config.dictConfig({"version": 1, "root": {"level": "CRITICAL", "handlers": []}})
    logging.disable(logging.CRITICAL)


def remove_handlers() -> None:
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.setLevel(logging.CRITICAL)


def silence_logging_and_wait(path: str) -> None:
    silence_logging()
    deadline_s = time.monotonic() + 20
    while not Path(path).exists() and time.monotonic() < deadline_s:
        time.sleep(0.05)


def change_process() -> None:
    os.chdir("/")
    os.umask(0)
    locale.setlocale(locale.LC_ALL, "C")
    socket.setdefaulttimeout(7)
    warnings.simplefilter("error")
    sys.setrecursionlimit(555)
    signal.setitimer(signal.ITIMER_REAL, 3600)


def change_context() -> None:
    translation.activate("zh-hans")
    timezone.activate("Asia/Shanghai")


def change_signal_handlers() -> None:
    """Raises ValueError in a thread, where Python does not allow it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def end_other_threads() -> int:
    """Throw SystemExit into every other thread that runs jobs."""
    run, count = current_run(), 0
    assert run is not None
    for thread in threading.enumerate():
        if thread.name.startswith("vigil-job-") and thread is not threading.current_thread():
            thrown = ctypes.py_object(SystemExit)
            count += ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), thrown
            )
    return count


def allocate(megabytes: int) -> int:
    return len(bytearray(megabytes * 1024 * 1024))


def use_processor(seconds: float) -> int:
    until_s, turns = time.process_time() + seconds, 0
    while time.process_time() < until_s:
        turns += 1
    return turns
