"""Imports the modules of the job file before children are forked, so that no child has to.

A module that breaks at import must break only its own jobs. So a forked trial process imports all modules first; those
at which it fails, ends, hangs or starts a thread (which no fork copies) are left for the children to import.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Collection
from importlib import import_module
from typing import NoReturn

from scheduler_app import conf, jobfile
from scheduler_app.errors import JobFileError
from scheduler_app.fork_client import time_of_change

BUDGET = 2
"""How many times `PRELOAD_S` all modules together may take."""
LIBRARIES = ("site-packages", "dist-packages", sysconfig.get_path("stdlib"))


def preload() -> tuple[dict[str, int], dict[str, str]]:
    """Import what can be imported; returns the files that were read for it, and why modules were left out.

    Files come with their time of change (ns), without those of libraries.
    """
    before = set(sys.modules)
    good, left_out = _try_all()
    for module in good:
        import_module(module)
    paths = (getattr(sys.modules[name], "__file__", None) for name in set(sys.modules) - before)
    own = [path for path in paths if path and not any(part in path for part in LIBRARIES)]
    with contextlib.suppress(JobFileError):
        own.append(str(jobfile.path_of(conf.get().JOB_FILE)))
    return {path: time_of_change(path) for path in own}, left_out


def _try_all() -> tuple[list[str], dict[str, str]]:
    """One trial after the other, each without the modules at which those before it stopped."""
    left_out: dict[str, str] = {}
    good: list[str] = []
    until_s = time.monotonic() + conf.get().PRELOAD_S * BUDGET
    stopped_at = "?"
    while stopped_at and time.monotonic() < until_s:
        imported, failed, stopped_at = _try_once({*good, *left_out})
        good += imported
        left_out |= failed
        if stopped_at:
            left_out[stopped_at] = "its import ends or delays the process, or starts a thread"
    return good, left_out


def _try_once(skipped: Collection[str]) -> tuple[list[str], dict[str, str], str]:
    """(imported, reasons why not, the module at which the trial stopped) of one trial process."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(readable)
        _trial(skipped, writable)
    os.close(writable)
    text = _read_all(readable)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    good, failed, current = [], {}, ""
    for line in text.splitlines():
        verb, module, reason = [*line.split("\t"), "", ""][:3]
        current = module if verb == "begin" else ""
        if verb == "good":
            good.append(module)
        elif verb == "bad":
            failed[module] = reason
    return good, failed, current


def _read_all(descriptor: int) -> str:
    """What the trial reports, until it ends or one import takes too long."""
    parts = []
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], conf.get().PRELOAD_S)[0]:
            if not (part := pipe.read(65_536)):
                break
            parts.append(part)
    return b"".join(parts).decode(errors="replace")


def _trial(skipped: Collection[str], descriptor: int) -> NoReturn:
    """In the trial process: import one module after the other and report each."""

    def report(verb: str, module: str, reason: str = "") -> None:
        line = " ".join(f"{reason}".split())[:500]
        os.write(descriptor, f"{verb}\t{module}\t{line}\n".encode(errors="replace"))

    report("begin", conf.get().JOB_FILE)
    modules = _modules() if conf.get().JOB_FILE not in skipped else []
    for module in modules:
        if module in skipped:
            continue
        report("begin", module)
        try:
            import_module(module)
        except BaseException as error:  # noqa: BLE001 - a module may raise anything when it is imported
            report("bad", module, f"{type(error).__name__}: {error}")
            continue
        if threading.active_count() > 1:
            report("begin", module)  # those after it cannot be judged in this process
            os._exit(0)
        report("good", module)
    report("end", "")
    os._exit(0)


def _modules() -> list[str]:
    try:
        jobs = jobfile.load(conf.get().JOB_FILE).jobs
    except JobFileError:
        return []
    return sorted({job.module for job in jobs if job.module and job.enabled})
