"""What the scheduler tells the apps above it, inside its own transaction and by the batch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.db import connection, transaction

logger = logging.getLogger(__name__)


class BatchSignal:
    """Receivers of a batch of rows, each called in a savepoint of its own where the sender has a transaction.

    A receiver that raises loses its own writes only: it is logged, and `send` says so, so that the sender can leave a
    mark and send the batch again. Receivers must therefore bear being called twice.
    """

    def __init__(self) -> None:
        self._receivers: dict[str, Callable[..., None]] = {}

    def connect(self, receiver: Callable[..., None], *, name: str) -> None:
        """Call `receiver(**batch)` from now on; a second one of the same name replaces the first."""
        self._receivers[name] = receiver

    def disconnect(self, name: str) -> None:
        self._receivers.pop(name, None)

    def send(self, **batch: Any) -> bool:
        """True when every receiver took the batch."""
        taken = [self._call(name, receiver, batch) for name, receiver in self._receivers.items()]
        return all(taken)

    @staticmethod
    def _call(name: str, receiver: Callable[..., None], batch: dict[str, Any]) -> bool:
        try:
            with transaction.atomic() if connection.in_atomic_block else nullcontext():
                receiver(**batch)
        except Exception:  # whatever a receiver does, the sender's rows are kept
            logger.exception("receiver_failed", extra={"receiver": name})
            return False
        return True


runs_finished = BatchSignal()
"""`runs`: list of JobRun that reached a final state, in the order in which they ended."""

file_synced = BatchSignal()
"""`job_file`: the JobFile that was just synced, `now`: when; for apps that mirror a section of their own."""

cursors_watched = BatchSignal()
"""`late`: list of LateCursor, all that a scheduler found (empty: none any more), `now`: when; sent on a change."""

clock_set_back = BatchSignal()
"""`now`: the database's clock was set back to it, so that times which were stored before may lie too far ahead."""
