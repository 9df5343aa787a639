"""The thread of a worker that stores what came of messages, all that are there by one commit."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue

from django.db import connection

from notifications_app.dispatcher import record_surely
from notifications_app.errors import ThrottledError
from notifications_app.recording import Result
from notifications_app.shelf import Chunk, Shelf
from notifications_app.verdicts import blames_gateway
from scheduler_app import connections

logger = logging.getLogger("NotificationDispatcher")

GATHER_S = 0.02
"""How long an outcome waits for others of its lane that are on their way."""

Sent = tuple[Chunk, list[Result]]


class Recorder(threading.Thread):
    """Only what is stored makes room on `shelf` for others.

    Calls `on_closed` before that when what failed may have closed a lane, and sets `wake` when a lane runs low.
    """

    def __init__(self, shelf: Shelf, on_closed: Callable[[], None], wake: threading.Event) -> None:
        super().__init__(name="vigil-record", daemon=True)
        self._shelf, self._on_closed, self._wake = shelf, on_closed, wake
        self._sent: SimpleQueue[Sent | None] = SimpleQueue()

    def put(self, chunk: Chunk, results: list[Result]) -> None:
        self._sent.put((chunk, results))

    def stop(self, timeout_s: float) -> None:
        """Once what is there is stored."""
        self._sent.put(None)
        self.join(timeout=timeout_s)

    def run(self) -> None:
        connections.limit_statements()
        while (first := self._sent.get()) is not None:
            group = self._gathered(first)
            connections.refresh()
            self._record(group)
            if any(_may_close(result) for _chunk, results in group for result in results):
                self._on_closed()
            self._shelf.done([chunk for chunk, _results in group])
            if any(self._shelf.is_low(chunk.lane) for chunk, _results in group):
                self._wake.set()
        connection.close()

    def _gathered(self, first: Sent) -> list[Sent]:
        """With what else is there; while more is on its way, a moment is waited for it: each commit has its price."""
        group, until_s = [first], time.monotonic() + GATHER_S
        with suppress(Empty):
            while True:
                is_enough = self._shelf.is_worth_storing([chunk for chunk, _results in group])
                left_s = 0.0 if is_enough else until_s - time.monotonic()
                more = self._sent.get(timeout=left_s) if left_s > 0 else self._sent.get_nowait()
                if more is None:  # the end comes after what is here
                    self._sent.put(None)
                    break
                group.append(more)
        return group

    def _record(self, group: list[Sent]) -> None:
        if results := [result for _chunk, found in group for result in found]:
            _store(results)


def _store(results: Sequence[Result]) -> None:
    """Record `results`; one that cannot be stored holds up no other, and is tried without the gateway's answer."""
    try:
        record_surely(results)
    except Exception:
        if len(results) > 1:
            half = len(results) // 2
            _store(results[:half])
            _store(results[half:])
        elif results[0].outcome and results[0].outcome.answer:
            plain = replace(results[0].outcome, answer="", code="")
            _store([replace(results[0], outcome=plain)])
        else:  # the sweep returns it when the lease is over
            row = results[0].judged.row
            logger.exception("outcome_not_written", extra={"notification": row.pk})


def _may_close(result: Result) -> bool:
    return blames_gateway(result.error) or isinstance(result.error, ThrottledError)
