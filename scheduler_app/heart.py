"""The thread that keeps a process's lease, and the judge of whether the lease still holds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db import close_old_connections

from scheduler_app import clock, connections, nodes, outages
from scheduler_app.models import Node
from scheduler_app.signals import clock_set_back
from scheduler_app.states import NodeKind

logger = logging.getLogger(__name__)

Figures = Callable[[], dict[str, Any]]


class Heart(threading.Thread):
    """Beats every `beat_s`; after each beat runs `duties` (callables; one that raises ends no other).

    A process that was declared dead registers as a new node by itself. `is_fresh()` answers without the database
    whether this process may still start what it holds.
    """

    def __init__(
        self,
        kind: NodeKind,
        *,
        lease_s: float,
        beat_s: float,
        slots: int,
        queues: Sequence[str] = (),
        figures: Figures = dict,
        duties: Sequence[Callable[[], object]] = (),
    ) -> None:
        super().__init__(name="vigil-heart", daemon=True)
        self._kind, self._lease_s, self._beat_s = kind, lease_s, beat_s
        self._slots, self._queues = slots, queues
        self._figures, self._duties = figures, duties
        self._stop_asked = threading.Event()
        self._lock = threading.Lock()
        self._confirmed_s = self._steady_since_s = clock.since_boot_s()
        self.node: Node = self._register()
        self._offset_s = self.node.heartbeat_at.timestamp() - clock.since_boot_s()

    @property
    def node_id(self) -> int:
        return int(self.node.pk)

    def is_fresh(self) -> bool:
        """Within two thirds of the lease since the last heartbeat that the database confirmed."""
        return clock.since_boot_s() - self._confirmed_s < self._lease_s * 2 / 3

    def is_steady(self) -> bool:
        """Beaten without a gap for a full lease, up to now: fit to judge others.

        A duty that waited for a lock is a gap: others may have waited for the same one.
        """
        now_s = clock.since_boot_s()
        is_current = now_s - self._confirmed_s <= self._lease_s / 2
        return is_current and now_s - self._steady_since_s >= self._lease_s

    def renew(self) -> None:
        """One beat, now. Raises django.db.Error."""
        with self._lock:
            before = clock.since_boot_s()
            now = nodes.beat(self.node_id, **self._figures())
            if now is None:
                logger.warning("node_was_declared_dead", extra={"node": self.node_id})
                self.node = self._register()
                now = self.node.heartbeat_at
            if before - self._confirmed_s > self._lease_s / 2 or self._has_stepped(now, before):
                self._steady_since_s = before
            self._confirmed_s = before

    def _has_stepped(self, now: datetime, now_s: float) -> bool:
        """Whether the database's clock was set since the last beat: leases then look older or younger than they are."""
        offset_s = now.timestamp() - now_s
        step_s, self._offset_s = offset_s - self._offset_s, offset_s
        if abs(step_s) < self._lease_s / 3:
            return False
        logger.warning("database_clock_stepped", extra={"by_s": round(step_s, 1)})
        if step_s < 0:
            clock_set_back.send(now=now)
        return True

    def run(self) -> None:
        connections.limit_statements(max(int(self._lease_s / 4), 1))
        while not self._stop_asked.wait(self._beat_s):
            for step in (close_old_connections, self.renew, *self._duties):
                try:
                    step()
                except Exception as error:  # noqa: BLE001 - a duty that is wrong stops neither the heart nor others
                    if outages.note(logger, error, waits="heartbeat_failed", failed="duty_failed"):
                        break

    def stop(self) -> None:
        """Stop beating and leave the list of the living. What the node held must be settled before."""
        self._stop_asked.set()
        self.join(timeout=2)
        nodes.retire(self.node_id)

    def _register(self) -> Node:
        return nodes.register(
            self._kind, lease_s=self._lease_s, slots=self._slots, queues=self._queues
        )
