"""How much of a core our processes and their PostgreSQL backends use, and how much memory they hold."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence

import psutil
import psycopg

from benchmarks.databases import BACKENDS

SAMPLE_EVERY_S = 0.5
MIB = 2**20


class Meter:
    """Between `start` and `stop` adds up what the processes, their children and their backends used.

    Backends are found by the name of their connections; they count only where the server is on this machine.
    """

    def __init__(self, pids: Sequence[int], server_url: str = "") -> None:
        self._pids, self._server_url = pids, server_url
        self._first: dict[tuple[int, float], float] = {}
        self._last: dict[tuple[int, float], float] = {}
        self.resident_mib = 0.0
        """The most that the processes and their children held at once, without backends."""
        self._stop_asked = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="meter", daemon=True)

    def start(self) -> None:
        self._began_s = time.monotonic()
        self._sample(first=True)
        self._thread.start()

    def stop(self) -> float:
        """Percent of one core since `start`."""
        self._stop_asked.set()
        self._thread.join()
        self._sample()
        used_s = sum(last - self._first.get(key, 0.0) for key, last in self._last.items())
        return 100 * used_s / (time.monotonic() - self._began_s)

    def _watch(self) -> None:
        while not self._stop_asked.wait(SAMPLE_EVERY_S):
            self._sample()

    def _sample(self, *, first: bool = False) -> None:
        own = [one for pid in self._pids for one in _family(pid)]
        backends = _backends(self._server_url) if self._server_url else []
        for process in own + backends:
            with contextlib.suppress(psutil.NoSuchProcess):
                user, system, *_ = process.cpu_times()
                key = (process.pid, process.create_time())
                self._last[key] = user + system
                if first:
                    self._first[key] = user + system
        self.resident_mib = max(self.resident_mib, sum(map(_resident_mib, own)))


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _resident_mib(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return float(process.memory_info().rss / MIB)
    return 0.0


def _backends(server_url: str) -> list[psutil.Process]:
    """What the server calls a process of its own has to be one on this machine, too."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
    with psycopg.connect(server_url, autocommit=True) as server:
        pids = [pid for (pid,) in server.execute(query, [BACKENDS])]
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.name() == "postgres":
                found.append(process)
    return found
