"""One service that is kept up: started, started again with growing pauses, ended with all that it started."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
WELL_AFTER_S = 60.0
MISCONFIGURED = 2
PATIENCE = 3
TETHER = Path(__file__).with_name("tether.py")

Say = Callable[[str], None]
Clock = Callable[[], float]


class Service:
    """A child process in a process group of its own.

    `inherit` are descriptors that it keeps open. `say` tells the person; `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        say: Say,
        inherit: Sequence[int] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._say = say
        self._inherit = inherit
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._start_again_s = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._refusals = 0

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Belongs to the main thread: the tie to this process is to the thread that starts."""
        tether = (sys.executable, "-I", "-S", str(TETHER), str(os.getpid()))
        self._started_s = self._clock()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the supervisor's own list
                [*tether, *self._command],
                stdin=subprocess.DEVNULL,
                pass_fds=self._inherit,
                process_group=0,  # a terminal's Ctrl-C reaches it through the supervisor only
            )
        except OSError as error:
            self._come_back(f"cannot be started: {error.strerror}")

    def look(self) -> None:
        """Notice an end, start again when the pause is over. Call it often."""
        if self._process is None:
            if self._clock() >= self._start_again_s:
                self.start()
            return
        code = self._process.poll()
        if code is not None:
            self._note_end(code)

    def ask_to_end(self) -> None:
        if self._process:
            self._process.terminate()

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill_group(self) -> None:
        """Whatever is left of the process and its children, by force."""
        if self._process:
            _signal_group(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0.5)
            self._process = None

    def _note_end(self, code: int) -> None:
        assert self._process is not None
        _signal_group(self._process.pid, signal.SIGTERM)  # children that outlive it
        self._process = None
        if self._clock() - self._started_s >= WELL_AFTER_S:
            self._pause_s = FIRST_PAUSE_S
            self._refusals = 0
        self._come_back(_how(code))
        self._count_refusals(code)

    def _come_back(self, why: str) -> None:
        self._say(f"{self.name} {why}; it is started again in {self._pause_s:.0f} s.")
        extra = {"service": self.name, "why": why, "pause_s": self._pause_s}
        logger.info("service_ended", extra=extra)
        self._start_again_s = self._clock() + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def _count_refusals(self, code: int) -> None:
        self._refusals = self._refusals + 1 if code == MISCONFIGURED else 0
        if self._refusals == PATIENCE:
            self._say(
                f"{self.name} refuses to start: its lines above say what to correct, most likely in .env or in the job "
                f"file. It is tried again every {LONGEST_PAUSE_S:.0f} s; no need to stop Vigil."
            )


def _how(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
