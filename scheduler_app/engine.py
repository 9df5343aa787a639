"""The scheduler process: APScheduler's blocking loop over our store, with everything that it needs around it.

Threads: the loop claims; an executor starts what is queued, or rings for workers that do; the heart beats.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from apscheduler.schedulers.blocking import BlockingScheduler
from django.db import Error, connection
from django.db.models import Q

from scheduler_app import (
    claims,
    clock,
    conf,
    connections,
    fork_client,
    forks,
    ledger,
    nodes,
    outages,
    single,
)
from scheduler_app.capture import capturing
from scheduler_app.clock_watch import ClockWatch
from scheduler_app.executors.doorbell import DoorbellExecutor, celery_app
from scheduler_app.executors.local import LocalExecutor
from scheduler_app.file_watch import FileWatch
from scheduler_app.heart import Heart
from scheduler_app.listener import COMPLETED, job_listener
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.pings import Pings, Vitals
from scheduler_app.pool_watch import PoolWatch
from scheduler_app.queue_watch import QueueWatch
from scheduler_app.states import Isolation, NodeKind, Overlap
from scheduler_app.store import SlotStore

logger = logging.getLogger(__name__)


class _Loop(BlockingScheduler):  # type: ignore[misc]
    """APScheduler's loop, which nothing but `stop_asked` ends."""

    stop_asked = False

    def _main_loop(self) -> None:
        wait_s = 0.0
        while not self.stop_asked:
            self._event.wait(wait_s)
            self._event.clear()
            if not self.stop_asked:
                wait_s = self._turn()

    def _turn(self) -> float:
        try:
            wait_s = self._process_jobs()
            return 0.5 if wait_s is None else min(float(wait_s), 0.5)
        except Exception as error:  # noqa: BLE001 - the loop is the one thing that has to go on
            outages.note(logger, error, waits="tick_waits_for_database", failed="tick_failed")
            return 0.5


def _collect_seldom() -> None:
    """What was imported stays, so no collection has to look through it again.

    The rows of a batch are more objects than the usual threshold (700): with the stages of a run one after the other
    in one thread, collecting among them took about 4 % of the time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def _with_default(isolation: Isolation) -> list[str]:
    """What stands in the rows of jobs that run in this `isolation`."""
    return [isolation, *([""] if isolation == conf.get().ISOLATION else [])]


class Engine:
    """One scheduler process. `run()` blocks until `stop()`; both belong to the main thread."""

    def __init__(self, *, threads: int | None = None, queues: Sequence[str] = ()) -> None:
        settings = conf.get()
        self._is_local = settings.EXECUTOR == "local"
        self._threads = (threads or settings.THREADS) if self._is_local else 0
        self._queues = tuple(queues)
        self._watch = FileWatch(settings.JOB_FILE)
        self._drain = False
        self._loop = _Loop(timezone=UTC, jobstore_retry_interval=1)

    def stop(self, *, drain: bool = False) -> None:
        """Ask the process to end. Only sets flags: fit for a signal handler."""
        self._drain = drain
        self._loop.stop_asked = True

    def run(self, *, once: bool = False) -> None:
        """Work until `stop()`; with `once`, do what is due and end.

        Raises JobFileError, SchedulerRunningError and CeleryAppError before anything is started.
        """
        lock = single.lock()
        report = self._watch.start()
        for job_id in report.disabled if report else ():
            logger.warning("job_skipped_disabled", extra={"job_id": job_id})
        if lock is not None:
            single.bury_predecessors()
        self._assemble()
        with capturing(), forks.refused_to_bodies_in_threads():
            self._banner()
            _collect_seldom()
            self._get_ready_to_fork()
            self._limit_statements()
            self._heart.start()
            self._loop.add_listener(job_listener, COMPLETED)
            self._loop.add_jobstore(self._store, "default")
            self._loop.add_executor(self._executor, "default")
            if once:
                self._run_once()
            else:
                with self._pings():
                    self._loop.start()
            self._shut_down()

    @staticmethod
    def _limit_statements() -> None:
        """The sync at start may take its time; what follows may not."""
        connections.limit_statements()
        connection.close()

    def _assemble(self) -> None:
        settings = conf.get()
        doorbell = None if self._is_local else DoorbellExecutor(celery_app())
        self._clock_watch = ClockWatch()
        self._heart = Heart(
            NodeKind.SCHEDULER,
            lease_s=settings.LEASE_S,
            beat_s=settings.BEAT_S,
            slots=self._threads,
            queues=self._queues,
            figures=self._figures,
            duties=(
                self._heed_cancels,
                self._show_output,
                self._reap,
                ledger.release,
                ledger.announce,
                self._watch.look,
                self._look_at_pool,
                QueueWatch().look,
                self._clock_watch.look,
            ),
        )
        self._executor = doorbell or LocalExecutor(self._threads, self._heart, self._queues)
        self._pool_watch = PoolWatch(self._threads, settings.SATURATED_S)
        self._store = SlotStore(self._executor.ring)

    def _figures(self) -> dict[str, Any]:
        return {
            "tick_at": clock.db_now() - (datetime.now(UTC) - self._store.ticked_at),
            "file_digest": self._watch.digest,
            "file_problem": self._watch.problem,
            "slots_busy": self._executor.busy,
            "threads_died": self._executor.threads_died,
            "clock_offset_ms": clock.offset_ms(),
            "draining": self._loop.stop_asked,
        }

    def _pings(self) -> Pings:
        settings, vitals = conf.get(), Vitals(self._heart, lambda: self._store.ticked_at)
        return Pings(settings.HEARTBEAT_URL, settings.HEARTBEAT_EVERY_S, vitals.trouble)

    def _show_output(self) -> None:
        self._executor.show_output()

    def _heed_cancels(self) -> None:
        self._executor.heed_cancels()

    def _reap(self) -> None:
        if self._heart.is_steady():
            nodes.reap()

    def _look_at_pool(self) -> None:
        if self._is_local:
            self._pool_watch.look(self._executor.busy, self._heart.node_id)

    def _run_once(self) -> None:
        self._executor.start(self._loop, "default")
        while claims.claim().more:
            pass
        self._executor.ring()
        ready = JobRun.objects.queued().filter(ready_at__lte=clock.db_now())
        while not self._loop.stop_asked and (ready.exists() or self._executor.busy):
            time.sleep(0.05)
        while not self._loop.stop_asked and ledger.announce():
            pass

    def _shut_down(self) -> None:
        """Claiming has stopped. Results are written; what still runs after the grace is LOST, by our own word."""
        deadline_s = None if self._drain else time.monotonic() + conf.get().SHUTDOWN_S
        logger.info("scheduler_stopping", extra={"running": self._executor.busy})
        is_idle = self._executor.settle(deadline_s)
        try:
            self._heart.stop()
        except Error as error:
            logger.warning("stopped_without_database", extra={"error": str(error)})
        logger.info("scheduler_stopped", extra={"clean": is_idle})
        if not is_idle:
            logging.shutdown()
            os._exit(0)  # threads that hang in a job cannot be ended otherwise

    def _get_ready_to_fork(self) -> None:
        """Loading the fork server takes a second, which the first run that needs it should not wait."""
        isolated = (
            Q(timeout_s__isnull=False) | Q(memory_mb__isnull=False) | Q(overlap=Overlap.REPLACE)
        )
        isolated |= Q(isolation__in=_with_default(Isolation.PROCESS))
        if self._is_local and ScheduledJob.objects.filter(isolated, enabled=True).exists():
            threading.Thread(target=fork_client.prepare, name="vigil-prepare", daemon=True).start()

    def _banner(self) -> None:
        extra = {
            "node": self._heart.node_id,
            "threads": self._threads,
            "jobs": ScheduledJob.objects.count(),
            "job_file": self._watch.digest[:12],
        }
        logger.info("scheduler_started", extra=extra)
