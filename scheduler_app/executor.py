"""Executes runs on this node: one thread takes what is queued, a pool of threads runs it."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any

from apscheduler.executors.base import BaseExecutor
from django.db import DatabaseError, close_old_connections, connection

from scheduler_app import claims, ledger
from scheduler_app.assignments import Assignment
from scheduler_app.errors import NodeGoneError
from scheduler_app.heart import Heart
from scheduler_app.listener import RunEvent
from scheduler_app.models import JobRun
from scheduler_app.result_writer import ResultWriter
from scheduler_app.runner import execute, handle_of
from scheduler_app.running import RunHandle
from scheduler_app.states import Reason
from scheduler_app.texts import storable

logger = logging.getLogger(__name__)

POLL_S = 0.5
AHEAD_S = 0.1
"""Runs whose bodies are done in so long all together are taken ahead of free threads."""
LEAST_S = 0.0002
WAIT_S = 0.5
MOST = 500
LOOK_BACK_EVERY_S = 10.0


class NodeExecutor(BaseExecutor):  # type: ignore[misc]
    """Takes at most as many runs as it has free threads: RUNNING means that a body is about to be called."""

    def __init__(self, threads: int, heart: Heart, writer: ResultWriter) -> None:
        super().__init__()
        self.threads, self._heart, self._writer = threads, heart, writer
        self._bell = threading.Event()
        self._closing = threading.Event()
        self._work: SimpleQueue[Assignment | None] = SimpleQueue()
        self._active: dict[int, tuple[Assignment, RunHandle]] = {}
        self._active_lock = threading.Lock()
        self._shown: dict[int, int] = {}
        self._unclear_token = ""
        self._usual_s = AHEAD_S
        self._taken_s = time.monotonic()
        self._unstarted: deque[Assignment] = deque()
        self._looked_back_s = time.monotonic()
        self._taker = threading.Thread(target=self._take_loop, name="vigil-taker", daemon=True)
        self._pool = [
            threading.Thread(target=self._work_loop, name=f"vigil-job-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self, scheduler: Any, alias: str) -> None:
        super().start(scheduler, alias)
        self._taker.start()
        self._pool = [thread for thread in self._pool if self._is_started(thread)]
        if len(self._pool) < self.threads:
            extra = {"threads": len(self._pool), "wanted": self.threads}
            logger.error("threads_unavailable", extra=extra)
            self.threads = len(self._pool)
        if not self._pool:
            raise RuntimeError("The machine gives this process no thread to run a job in.")

    @staticmethod
    def _is_started(thread: threading.Thread) -> bool:
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread left
            return False
        return True

    def _do_submit_job(self, job: Any, run_times: Any) -> None:
        raise NotImplementedError("Runs are taken from the database.")

    def ring(self) -> None:
        """There may be something to take."""
        self._bell.set()

    @property
    def busy(self) -> int:
        return len(self._active)

    def stop_taking(self) -> None:
        self._closing.set()
        self._bell.set()
        self._taker.join(timeout=5)
        for task in self._drain():
            self._put_back(task)
        self._give_back()

    def wait_idle(self, deadline_s: float | None) -> bool:
        """Wait until nothing runs, or until `deadline_s` by the monotonic clock; True when nothing runs."""
        while self._active and (deadline_s is None or time.monotonic() < deadline_s):
            time.sleep(0.02)
        return not self._active

    def shutdown(self, wait: bool = True) -> None:
        self._closing.set()
        for _ in self._pool:
            self._work.put(None)

    def show_output(self) -> None:
        """Store what running jobs have said since the last time."""
        with self._active_lock:
            active = list(self._active.values())
        for task, handle in active:
            version = handle.output.version
            if self._shown.get(task.run_id, 0) != version:
                self._shown[task.run_id] = version
                ledger.show_progress(
                    task.run_id,
                    task.token,
                    log=storable(handle.output.text(), 65_536),
                    progress=handle.percent,
                    text=storable(handle.percent_text, 200),
                )

    def _take_loop(self) -> None:
        while not self._closing.is_set():
            self._bell.wait(POLL_S)
            self._bell.clear()
            try:
                close_old_connections()
                self._return_waiting()
                self._give_back()
                self._look_back()
                while self._take():
                    pass
            except NodeGoneError:
                self._renew_node()
            except DatabaseError as error:
                logger.warning("take_failed", extra={"error": str(error)})
                self._closing.wait(POLL_S)
            except Exception:  # the only taker of this process may not end
                logger.exception("take_failed")
                self._closing.wait(POLL_S)
        connection.close()

    def _take(self) -> bool:
        """Take one batch; True when there may be more and there is room for them."""
        room = self._room()
        if not room or self._closing.is_set() or not self._heart.is_fresh():
            return False
        if self._unclear_token:  # the answer to the last commit was lost: what it did counts
            self._hand_out(claims.taken(self._unclear_token))
        self._unclear_token = token = uuid.uuid4().hex
        tasks = claims.take(self._heart.node_id, token, room)
        self._unclear_token = ""
        self._taken_s = time.monotonic()
        self._hand_out(tasks)
        return bool(tasks)

    def _room(self) -> int:
        """How many runs to take: one for each free thread, and while bodies are short what is done in a moment.

        A new batch waits until half of the last one is done: many small ones cost more than they start sooner.
        """
        most = max(self.threads, min(int(self.threads * AHEAD_S / self._usual_s), MOST))
        free = most - self.busy
        return free if free >= most // 2 or self.busy < self.threads else 0

    def _hand_out(self, tasks: list[Assignment]) -> None:
        for task in tasks:
            with self._active_lock:
                self._active[task.run_id] = (task, handle_of(task))
            self._work.put(task)

    def _give_back(self) -> None:
        """Return what this process held for so long without a heartbeat that it may not start it any more."""
        while self._unstarted:
            task = self._unstarted[0]
            ledger.give_back([task.run_id], task.token)
            self._unstarted.popleft()
            logger.warning("run_given_back", extra=task.fields)

    def _look_back(self) -> None:
        """End rows that stand as RUNNING here and are nobody's: their result could not be stored.

        In the taker's thread, so that no row is between its commit and its hand-out.
        """
        if time.monotonic() - self._looked_back_s < LOOK_BACK_EVERY_S or self._unclear_token:
            return
        self._looked_back_s = time.monotonic()
        node = self._heart.node_id
        mine = set(JobRun.objects.running().filter(node=node).values_list("pk", flat=True))
        with self._active_lock:
            held = {
                *self._active,
                *self._writer.pending,
                *(task.run_id for task in self._unstarted),
            }
        if forgotten := mine - held:
            ledger.end_lost(node, Reason.RESULT_LOST, forgotten)

    def _renew_node(self) -> None:
        self._unclear_token = ""
        try:
            self._heart.renew()
        except DatabaseError as error:
            logger.warning("heartbeat_failed", extra={"error": str(error)})

    def _work_loop(self) -> None:
        while (task := self._work.get()) is not None:
            try:
                close_old_connections()
                self._execute(task)
            except Exception:  # the only taker of this process may not end
                logger.exception("run_not_executed", extra=task.fields)
            finally:
                with self._active_lock:
                    self._active.pop(task.run_id, None)
                    self._shown.pop(task.run_id, None)
                close_old_connections()
                self.ring()
        connection.close()

    def _execute(self, task: Assignment) -> None:
        if not self._heart.is_fresh():
            self._unstarted.append(task)
            return
        result = execute(task, self._active[task.run_id][1])
        self._usual_s += (result.duration_ms / 1000 + LEAST_S - self._usual_s) / 16
        self._writer.put(result)
        self._scheduler._dispatch_event(RunEvent(task, result))

    def _return_waiting(self) -> None:
        """What was taken ahead and still waits, because bodies turned out longer than usual, is anybody's again."""
        if time.monotonic() - self._taken_s < WAIT_S:
            return
        for task in self._drain():
            self._put_back(task)
            self._usual_s = AHEAD_S

    def _put_back(self, task: Assignment) -> None:
        self._unstarted.append(task)
        with self._active_lock:
            self._active.pop(task.run_id, None)

    def _drain(self) -> Iterator[Assignment]:
        with contextlib.suppress(Empty):
            while task := self._work.get_nowait():
                yield task
