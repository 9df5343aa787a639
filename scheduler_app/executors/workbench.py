"""What a process that executes has at hand: runs that it took, started, gives back or has yet to report."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

from django.db import Error, close_old_connections

from scheduler_app import claims, conf, ledger, outages
from scheduler_app.assignments import Assignment
from scheduler_app.errors import NodeGoneError
from scheduler_app.heart import Heart
from scheduler_app.listener import RunEvent
from scheduler_app.models import JobRun
from scheduler_app.process_state import ProcessState
from scheduler_app.result_writer import ResultWriter
from scheduler_app.runner import execute, handle_of, stop_all
from scheduler_app.running import RunHandle
from scheduler_app.states import Reason
from scheduler_app.texts import storable

logger = logging.getLogger(__name__)

AHEAD_S = 0.1
"""Runs whose bodies are done in so long all together are taken ahead of free threads."""
LEAST_S = 0.0002
BEGIN_S = 0.005
"""How long bodies are thought to take until some have been called."""
WAIT_S = 0.5
MOST = 500
LOOK_BACK_PER_LEASE = 2 / 3
REPORT_S = 1.0
"""What is left for reports when children have been ended."""


class Workbench:
    """Takes at most as many runs as there are `slots` to call them: RUNNING means that a body is about to be called.

    Threads of the process call `take`, fetch from `work` and `execute`; one of them calls `tidy` twice a second.
    `queues` (empty: all) are those it takes from; `tell` is called with the event of each run that ended.
    """

    def __init__(
        self,
        slots: int,
        heart: Heart,
        tell: Callable[[RunEvent], object],
        *,
        queues: Sequence[str] = (),
    ) -> None:
        self.slots, self._heart, self._tell, self._queues = slots, heart, tell, tuple(queues)
        self._writer = ResultWriter()
        self.work: SimpleQueue[Assignment | None] = SimpleQueue()
        self.closing = threading.Event()
        self._active: dict[int, tuple[Assignment, RunHandle]] = {}
        self._active_lock = threading.Lock()
        self._take_lock = threading.Lock()
        self._shown: dict[int, int] = {}
        self._begun: set[int] = set()
        self._abandoned: set[int] = set()
        """Runs that no thread had begun at the last look back."""
        self._unclear_token = ""
        self._may_wait = False
        self._usual_s = BEGIN_S
        self._taken_s = time.monotonic()
        self._unstarted: deque[Assignment] = deque()
        self._looked_back_s = time.monotonic()

    def open(self) -> None:
        self._process = ProcessState()
        self._writer.start()

    @property
    def busy(self) -> int:
        return len(self._active)

    @property
    def wants_more(self) -> bool:
        """Whether runs may have been left for want of room, and there is room now."""
        return self._may_wait and self._room() > 0

    def attempt(self, verb: Callable[[], object]) -> bool:
        """Call `verb` (`take`, `tidy`); what goes wrong is told, and False."""
        try:
            close_old_connections()
            verb()
        except NodeGoneError:
            self._renew_node()
        except Exception as error:  # noqa: BLE001 - who takes for this process may not end
            outages.note(logger, error, waits="take_failed", failed="take_failed")
            return False
        return True

    def take(self) -> bool:
        """Put one batch into `work`; True when there may be more and there is room for them.

        Raises NodeGoneError and django.db.Error.
        """
        with self._take_lock:
            room = self._room()
            self._may_wait |= not room
            if not room or self.closing.is_set() or not self._heart.is_fresh():
                return False
            if self._unclear_token:  # the answer to the last commit was lost: what it did counts
                self._hand_out(claims.taken(self._unclear_token))
            self._unclear_token = token = uuid.uuid4().hex
            tasks = claims.take(self._heart.node_id, token, room, self._queues)
            self._unclear_token = ""
            self._may_wait = bool(tasks)
            self._taken_s = time.monotonic()
            self._hand_out(tasks)
            return bool(tasks)

    def execute(self, task: Assignment) -> None:
        """Call the body and hand over its result. Raises nothing but what other threads throw into this one."""
        with self._active_lock:
            if task.run_id not in self._active:  # it was given back
                return
            self._begun.add(task.run_id)
        try:
            self._execute(task)
        except Exception:  # who executes for this process may not end
            logger.exception("run_not_executed", extra=task.fields)
        finally:
            with self._active_lock:
                self._active.pop(task.run_id, None)
                self._shown.pop(task.run_id, None)
                self._begun.discard(task.run_id)

    def tidy(self) -> None:
        """Give back what may not or need not be started here, and end what is nobody's. Raises django.db.Error."""
        self._guard_process()
        with self._take_lock:
            self._return_waiting()
            self._give_back()
            self._look_back()

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

    def settle(self, deadline_s: float | None) -> bool:
        """Take nothing more, write results; what still runs at `deadline_s` (monotonic; None: never) is LOST.

        False when something still ran: its threads cannot be ended otherwise than with the process.
        """
        self.closing.set()
        self.attempt(self._give_all_back)
        is_idle = self._has_come_to_rest(deadline_s)
        if not self._writer.stop(timeout_s=1.0 if deadline_s else 60.0):
            logger.warning("results_not_written", extra={"results": len(self._writer.pending)})
        if not is_idle:
            self.attempt(lambda: ledger.end_lost(self._heart.node_id, Reason.SHUTDOWN))
        return is_idle

    def heed_cancels(self) -> None:
        """Have runs of this process stopped that somebody asked to end."""
        asked = JobRun.objects.running().filter(node=self._heart.node_id, cancel_at__isnull=False)
        for run_id, by, reason in asked.values_list("pk", "cancel_by", "reason"):
            with self._active_lock:
                held = self._active.get(run_id)
            if held:
                held[1].cancel(by, Reason(reason))

    def _has_come_to_rest(self, deadline_s: float | None) -> bool:
        """Let runs end by themselves as long as there is time, then end those that can be ended."""
        if deadline_s is None:
            return self._is_idle_by(math.inf)
        if self._is_idle_by(deadline_s - conf.get().TERM_GRACE_S - REPORT_S):
            return True
        stop_all()
        return self._is_idle_by(deadline_s)

    def _is_idle_by(self, deadline_s: float) -> bool:
        while self._active and time.monotonic() < deadline_s:
            time.sleep(0.02)
        return not self._active

    def _room(self) -> int:
        """How many runs to take: one for each free slot, and while bodies are short what is done in a moment.

        A new batch waits until half of the last one is done: many small ones cost more than they start sooner.
        """
        most = max(self.slots, min(int(self.slots * AHEAD_S / self._usual_s), MOST))
        free = most - self.busy
        return free if free >= most // 2 or self.busy < self.slots else 0

    def _hand_out(self, tasks: list[Assignment]) -> None:
        for task in tasks:
            with self._active_lock:
                self._active[task.run_id] = (task, handle_of(task))
            self.work.put(task)

    def _execute(self, task: Assignment) -> None:
        if not self._heart.is_fresh():
            self._unstarted.append(task)
            return
        begun_s = time.monotonic()
        result = execute(task, self._active[task.run_id][1], self._process)
        self._usual_s += (time.monotonic() - begun_s + LEAST_S - self._usual_s) / 16
        self._writer.put(result)
        self._tell(RunEvent(task, result))

    def _guard_process(self) -> None:
        """Restore what bodies in threads changed and this process itself depends on, such as its logging."""
        changes = self._process.restore_urgent()
        if not changes:
            return
        with self._active_lock:
            active = [held for held in self._active.values() if not held[0].isolated]
        for _task, handle in active:
            handle.output.write("".join(f"{change}\n" for change in changes))
        extra = {"changes": changes, "runs": [task.run_id for task, _handle in active]}
        logger.warning("process_state_restored", extra=extra)

    def _give_back(self) -> None:
        """Return what this process held for so long without a heartbeat that it may not start it any more."""
        by_token: defaultdict[str, list[Assignment]] = defaultdict(list)
        for task in list(self._unstarted):
            by_token[task.token].append(task)
        for token, tasks in by_token.items():
            ledger.give_back([task.run_id for task in tasks], token)
            for task in tasks:
                self._unstarted.remove(task)
                logger.warning("run_given_back", extra=task.fields)

    def _give_all_back(self) -> None:
        with self._take_lock:
            for task in self._drain():
                self._put_back(task)
            self._give_back()

    def _look_back(self) -> None:
        """Mark RUNNING rows of this node as LOST that no thread has: their result could not be stored.

        Runs that died with the thread that fetched them are given back at the second look. The caller holds the lock
        of `take`, so that no row is between its commit and its hand-out.
        """
        every_s = conf.get().LEASE_S * LOOK_BACK_PER_LEASE
        if time.monotonic() - self._looked_back_s < every_s or self._unclear_token:
            return
        self._looked_back_s = time.monotonic()
        self._give_back_abandoned()
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

    def _give_back_abandoned(self) -> None:
        """Runs in the queue of this process are returned after WAIT_S, so what waits for longer is in no thread."""
        with self._active_lock:
            waiting = {
                pk: task for pk, (task, _handle) in self._active.items() if pk not in self._begun
            }
            for pk in self._abandoned & waiting.keys():
                self._unstarted.append(waiting.pop(pk))
                del self._active[pk]
            self._abandoned = set(waiting)

    def _renew_node(self) -> None:
        self._unclear_token = ""
        try:
            self._heart.renew()
        except Error as error:
            outages.note(logger, error, waits="heartbeat_failed", failed="heartbeat_failed")

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
            while task := self.work.get_nowait():
                yield task
