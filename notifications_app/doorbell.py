"""The thread that listens for the bell, so that a worker can wait for it and for its own threads at once."""

from __future__ import annotations

import threading

from notifications_app import conf, queues


class Doorbell(threading.Thread):
    """Sets `wake` when it rings. Listens only while it `may_listen`: each ring takes an entry off the list, which is
    to show the backlog.
    """

    def __init__(self, wake: threading.Event) -> None:
        super().__init__(name="vigil-doorbell", daemon=True)
        self._wake = wake
        self._may_listen = threading.Event()
        self._lock = threading.Lock()
        self._rung = 0
        """Entries that were taken off the list and no claim has accounted for yet."""
        self._stop_asked = False

    def listen(self) -> None:
        self._may_listen.set()

    def account_for(self, rows: int) -> int:
        """How many of `rows` that were claimed have no entry in the list any more."""
        with self._lock:
            known = min(self._rung, rows)
            self._rung = max(self._rung - rows, 0)
            return known

    def run(self) -> None:
        while not self._stop_asked:
            if not self._may_listen.wait(0.1) or not queues.wait(conf.get().POLL_S):
                continue
            self._may_listen.clear()
            with self._lock:
                self._rung += 1
            self._wake.set()

    def stop(self) -> None:
        """Or it would take others' rings off the list."""
        self._stop_asked = True
        self.join(timeout=conf.get().POLL_S + 1)
