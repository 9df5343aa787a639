"""A process of a Celery worker that executes runs: what a message makes it do, its heartbeat and its end."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from queue import Empty
from typing import Any

from django.db import Error, connection

from scheduler_app import clock, conf, forks, outages
from scheduler_app.assignments import Assignment
from scheduler_app.capture import capturing
from scheduler_app.errors import JobFileError
from scheduler_app.executors.workbench import Workbench
from scheduler_app.file_watch import FileWatch, read_only
from scheduler_app.heart import Heart
from scheduler_app.listener import job_listener
from scheduler_app.states import NodeKind

logger = logging.getLogger(__name__)

TURN_S = 5.0
"""For how long one message lets a slot start run after run; the next message goes on."""
TIDY_S = 0.5
REGISTER_AGAIN_S = 1.0
READY_WITHIN_S = 5.0


class CeleryNode:
    """Takes and executes queued runs of `queues` in the slots (threads) of Celery's pool that messages wake.

    `start()` returns at once: the node registers from a thread of its own, however long the database is away or the job
    file cannot be read.
    """

    def __init__(self, queues: Sequence[str], slots: int) -> None:
        self._queues, self._slots = tuple(queues), slots
        self._present = 0
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._closing = threading.Event()
        self._watch = FileWatch(conf.get().JOB_FILE, sync=read_only)
        self._heart: Heart | None = None
        self._bench: Workbench | None = None
        self._capture = ExitStack()
        self._keeper = threading.Thread(target=self._keep, name="vigil-node", daemon=True)

    def start(self) -> None:
        self._capture.enter_context(capturing())
        self._capture.enter_context(forks.refused_to_bodies_in_threads())
        self._keeper.start()

    def turn(self) -> None:
        """Take and execute runs in this thread, one after the other, until none waits or the turn is over."""
        if not self._ready.wait(READY_WITHIN_S) or self._bench is None:
            return
        until_s = time.monotonic() + TURN_S
        self._count_in(self._bench, 1)
        try:
            while task := self._next(self._bench, until_s):
                self._bench.execute(task)
        finally:
            self._count_in(self._bench, -1)

    def stop(self, grace_s: float) -> bool:
        """Leave the list of the living with nothing held; False when a body still runs, whose run is now LOST."""
        deadline_s = time.monotonic() + grace_s
        self._closing.set()
        logger.info("celery_node_stopping")
        self._keeper.join(timeout=grace_s)
        if self._bench is None or self._heart is None:
            return True
        is_idle = self._bench.settle(deadline_s)
        try:
            self._heart.stop()
        except Error as error:
            logger.warning("stopped_without_database", extra={"error": str(error)})
        logger.info("celery_node_stopped", extra={"node": self._heart.node_id, "clean": is_idle})
        return is_idle

    def _next(self, bench: Workbench, until_s: float) -> Assignment | None:
        with self._lock:
            if bench.work.empty() and time.monotonic() < until_s:
                bench.attempt(bench.take)
            with suppress(Empty):
                return bench.work.get_nowait()
        return None

    def _count_in(self, bench: Workbench, change: int) -> None:
        """Only slots that a message woke can execute."""
        with self._lock:
            self._present += change
            bench.slots = max(self._present, 1)

    def _keep(self) -> None:
        while not (self._knows_file() and self._register()):
            if self._closing.wait(REGISTER_AGAIN_S):
                return
        assert self._bench is not None
        while not self._closing.wait(TIDY_S):
            self._bench.attempt(self._bench.tidy)
            connection.close()  # seldom needed, and one for each process

    def _knows_file(self) -> bool:
        """Without the job file nothing may be called."""
        try:
            self._watch.start()
        except JobFileError as error:
            if self._watch.problem != str(error):
                logger.error("node_waits_for_job_file", extra={"error": str(error)})
            self._watch.problem = str(error)
            return False
        self._watch.problem = ""
        return True

    def _register(self) -> bool:
        settings = conf.get()
        try:
            heart = Heart(
                NodeKind.CELERY,
                lease_s=settings.LEASE_S,
                beat_s=settings.BEAT_S,
                slots=self._slots,
                queues=self._queues,
                figures=self._figures,
                duties=(self._look_at_runs, self._watch.look),
            )
        except Error as error:
            away, failed = "node_waits_for_database", "node_not_registered"
            outages.note(logger, error, waits=away, failed=failed)
            return False
        self._heart = heart
        self._bench = Workbench(1, heart, job_listener, queues=self._queues)
        self._bench.open()
        heart.start()
        self._ready.set()
        extra = {"node": heart.node_id, "queues": ",".join(self._queues), "slots": self._slots}
        logger.info("celery_node_started", extra={**extra, "pid": os.getpid()})
        return True

    def _figures(self) -> dict[str, Any]:
        return {
            "slots_busy": self._bench.busy if self._bench else 0,
            "file_digest": self._watch.digest,
            "file_problem": self._watch.problem,
            "clock_offset_ms": clock.offset_ms(),
            "draining": self._closing.is_set(),
        }

    def _look_at_runs(self) -> None:
        if self._bench:
            self._bench.heed_cancels()
            self._bench.show_output()
