"""Keeps services up until it is told to stop, then ends them all."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from project.supervisor.service import Say, Service

LOOK_EVERY_S = 0.1
GRACE_S = 9.0
SLOW_START_S = 60.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Watch:
    """`run()` blocks until SIGINT, SIGTERM or SIGHUP and returns the exit code: 0, or 1 if something had to be killed.

    `is_ready` is asked until it is true, then `welcome` is called, once.
    """

    def __init__(
        self,
        services: Sequence[Service],
        *,
        say: Say,
        is_ready: Callable[[], bool],
        welcome: Callable[[], None],
    ) -> None:
        self._services = services
        self._say = say
        self._is_ready = is_ready
        self._welcome = welcome
        self._is_stopping = False

    def run(self) -> int:
        with self._signals():
            for service in self._services:
                service.start()
            try:
                self._keep_up()
            finally:
                clean = self._end_all()
        return 0 if clean else 1

    def _keep_up(self) -> None:
        welcome_due = True
        complain_at_s = time.monotonic() + SLOW_START_S
        while not self._is_stopping:
            for service in self._services:
                service.look()
            if welcome_due and self._is_ready():
                welcome_due = False
                self._welcome()
            elif welcome_due and time.monotonic() > complain_at_s:
                complain_at_s = float("inf")
                self._say("The pages do not answer yet; the lines above may say why.")
            time.sleep(LOOK_EVERY_S)

    def _end_all(self) -> bool:
        """SIGTERM for all, SIGKILL for what is left after the grace; True if all ended by themselves."""
        self._say("Stopping; this takes 10 s at most.")
        for service in self._services:
            service.ask_to_end()
        deadline_s = time.monotonic() + GRACE_S
        while time.monotonic() < deadline_s and not all(one.has_ended() for one in self._services):
            time.sleep(LOOK_EVERY_S / 5)
        stubborn = [one.name for one in self._services if not one.has_ended()]
        for service in self._services:
            service.kill_group()
        self._say(f"Stopped; had to kill {', '.join(stubborn)}." if stubborn else "Stopped.")
        return not stubborn

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        wanted = [number for number in STOP_SIGNALS if not _is_under_nohup(number)]
        before = {number: signal.signal(number, self._stop) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True


def _is_under_nohup(number: signal.Signals) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
