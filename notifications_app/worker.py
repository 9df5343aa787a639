"""The process that delivers: claims what is due, lane by lane, sends it with threads, and stores what came of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue

from django.db import Error, connection

from notifications_app import channel_states, claims, conf, fallback, fan_out, outbox, queues
from notifications_app.board import Board
from notifications_app.channels import registry
from notifications_app.claims import Claimant, ClaimedRow
from notifications_app.dispatcher import NotificationDispatcher
from notifications_app.doorbell import Doorbell
from notifications_app.judgement import Judged
from notifications_app.lanes import Group, Lane
from notifications_app.models import ChannelState
from notifications_app.recorder import Recorder
from notifications_app.recording import Result
from notifications_app.shelf import Chunk, Held, Shelf
from scheduler_app import connections, outages
from scheduler_app.clock import db_now, since_boot_s
from scheduler_app.heart import Heart
from scheduler_app.states import NodeKind

logger = logging.getLogger("NotificationDispatcher")

AHEAD_MOST = 50
POST_MOST = 50
"""People whom one post of a group can mention."""
THREADS_MOST = 32
SWEEP_EVERY_S = 5.0
SUSPECT_EVERY_S = 1.0
STOP_WITHIN_S = 7.0
"""For what is on its way when the worker is to end; the rest of the promised 10 s is for recording."""


class Worker:
    """`run()` blocks until `stop()`; with `drain` it ends when nothing is due any more.

    The main thread claims, a thread for each call sends, and a `Recorder` stores what came of it.
    At most `concurrency` messages are sent and not stored.
    """

    def __init__(self, concurrency: int = 8) -> None:
        self.concurrency = concurrency
        self._stop_asked = False
        self._dispatcher = NotificationDispatcher()
        self._shelf = self._make_shelf(min(concurrency, THREADS_MOST))
        self._unsent: SimpleQueue[Chunk] = SimpleQueue()
        self._wake = threading.Event()
        self._bell = Doorbell(self._wake)
        self._is_behind = False
        """Whether something is due that may not be claimed yet: the entries of the list stand for it."""
        self._clears_shelf = False
        """Whether nothing is claimed until all that is held is through, or a message that has to be alone."""
        self._swept_s = self._looked_s = self._renewed_s = self._unsuspicious_until_s = 0.0
        self._senders = [
            threading.Thread(target=self._send_loop, name=f"vigil-send-{n}", daemon=True)
            for n in range(min(concurrency, THREADS_MOST))
        ]
        self._recorder = Recorder(self._shelf, self._return_what_closed, self._wake)

    def _make_shelf(self, threads: int) -> Shelf:
        channels = [self._dispatcher.channel(name) for name in registry.names()]
        return Shelf(
            self.concurrency,
            threads,
            posts=frozenset(one.name for one in channels if one.batch_by_group),
            one_at_a_time=frozenset(one.name for one in channels if one.one_at_a_time),
            stay_here=frozenset(one.name for one in channels if not one.leaves_the_site),
            connections={one.name: one.connections for one in channels},
        )

    def stop(self) -> None:
        """Only sets a flag: fit for a signal handler."""
        self._stop_asked = True

    def run(self, *, once: bool = False, drain: bool = False) -> None:
        connections.limit_statements()
        channel_states.ensure()
        self._dispatcher.resume_mended()
        self._heart = Heart(
            NodeKind.WORKER,
            lease_s=15.0,
            beat_s=2.0,
            slots=self.concurrency,
            figures=lambda: {"slots_busy": self._shelf.in_flight, "tick_at": db_now()},
        )
        self._heart.start()
        for thread in (self._bell, self._recorder, *self._senders):
            thread.start()
        extra = {
            "worker": self._heart.node_id,
            "concurrency": self.concurrency,
            "queue": queues.mode(),
        }
        logger.info("worker_started", extra=extra)
        while not self._stop_asked:
            began_s = time.monotonic()
            turn = self._turn()
            if once:
                self._wait_idle(None)
                break
            if turn is None:
                continue
            claimed, rest_s = turn
            if not claimed:
                if drain and self._is_through():
                    break
                self._rest(began_s + rest_s)
        self._shut_down()

    def _is_through(self) -> bool:
        """Whether nothing is held, nor about to be given back, nor waiting for that."""
        return self._shelf.is_idle() and self._unsent.empty() and not self._clears_shelf

    def _turn(self) -> tuple[int, float] | None:
        """One look at everything that may be due: how many messages were claimed, and how long to rest else.

        None when the database did not let it come to its end.
        """
        poll_s = conf.get().POLL_S
        try:
            connections.refresh()
            self._keep_house(poll_s)
            self._return_unsent()
            board = Board.read(db_now(), self._claimant)
            self._return_closed(board)
            self._is_behind = board.has_due()
            claimed = self._claim_all(board)
        except Error as error:
            away, failed = "worker_waits_for_database", "worker_turn_failed"
            outages.note(logger, error, waits=away, failed=failed)
            # when it is back, whoever has an outcome to store comes first
            self._swept_s = time.monotonic()
            time.sleep(poll_s)
            return None
        # while others are sent, something urgent may come, and only Redis would tell
        least_s = poll_s if self._shelf.is_idle() else poll_s / 2
        next_s = board.next_due_s()
        return claimed, least_s if next_s is None else min(next_s, least_s)

    def _claimant(self, state: ChannelState) -> Claimant:
        return self._dispatcher.claimant(state, worker=self._heart.node_id)

    def _keep_house(self, poll_s: float) -> None:
        """What is done by the clock rather than at each look."""
        now_s = time.monotonic()
        if now_s - self._looked_s > poll_s:
            self._looked_s = now_s
            fan_out.fan_out_due(at_once_only=True, limit=conf.get().ALERT_BATCH)
        if now_s - self._swept_s > SWEEP_EVERY_S:
            self._swept_s = now_s
            outbox.sweep()
            fallback.help_orphans()
            fallback.help_waiting()
            self._shelf.forget_idle()
        if now_s - self._renewed_s > conf.get().LEASE_S / 6:
            self._renewed_s = now_s
            self._renew()

    def _safe_until_s(self, begin_s: float) -> float:
        """A third of the lease, so that what is begun at the last moment ends within it."""
        return begin_s + conf.get().LEASE_S / 3

    def _renew(self) -> None:
        """Keep the leases of what waits on the shelf. What this process held too long without that is not its own."""
        begin_s = since_boot_s()
        waiting = self._shelf.waiting()
        safe = [held for held in waiting if held.safe_until_s >= begin_s]
        for held in waiting:
            if held not in safe:
                self._return(held)
        claims.renew([held.claim.token for held in safe])
        for held in safe:
            held.safe_until_s = self._safe_until_s(begin_s)

    def _return_closed(self, board: Board) -> None:
        """What waits for a lane that was paused or held meanwhile goes back."""
        for held in self._shelf.waiting():
            if not board.may_send(held.claim):
                self._return(held)

    def _return_unsent(self) -> None:
        """What threads could not judge while the database was away."""
        with suppress(Empty):
            while chunk := self._unsent.get_nowait():
                claims.give_back(chunk.rows, chunk.held.claim.token)

    def _return_what_closed(self) -> None:
        """Before others may go: what has just failed may have closed its lane."""
        try:
            self._return_closed(Board.read(db_now(), self._claimant))
        except Error as error:
            away, failed = "worker_waits_for_database", "closed_lanes_not_returned"
            outages.note(logger, error, waits=away, failed=failed)

    def _return(self, held: Held) -> None:
        claims.give_back(self._shelf.remove(held), held.claim.token)

    def _claim_all(self, board: Board) -> int:
        """What is due; or, when nothing else is held, one message that may kill this process, and nothing beside it."""
        is_idle = self._shelf.is_idle()
        if self._clears_shelf and not is_idle:
            return 0
        once, often = self._suspects(board)
        self._clears_shelf = bool(often)
        if often:
            return self._claim_suspect(often, alone=True) if is_idle else 0
        found = board.open_lanes()
        claimed = sum(self._claim(board, lane, groups) for lane, groups in found.items())
        while once and self._shelf.suspects < self.concurrency:
            if not self._claim_suspect(once, alone=False):
                break
            claimed += 1
        return claimed

    def _suspects(self, board: Board) -> list[dict[Lane, Claimant]]:
        """Open lanes with messages that were lost with a worker, once or more often. There are hardly ever any."""
        if time.monotonic() < self._unsuspicious_until_s:
            return [{}, {}]
        found = claims.suspect_lanes(board.now)
        if any(found):
            self._is_behind = True
        else:
            self._unsuspicious_until_s = time.monotonic() + SUSPECT_EVERY_S
        return [
            {lane: board.channels[lane.channel] for lane in lanes if board.is_open(lane)}
            for lanes in found
        ]

    def _claim(self, board: Board, lane: Lane, groups: list[Group]) -> int:
        """Fill the shelf of one lane up, or put something more urgent on top of it."""
        by = board.channels[lane.channel]
        wanted = self._shelf.wanted(lane)
        waiting = self._shelf.best_priority(lane)
        is_urgent = waiting is not None and groups[0].priority < waiting
        claimed = 0
        while self._shelf.stock(lane) <= wanted // 2 or is_urgent:
            begin_s = since_boot_s()
            most = POST_MOST if by.grouped else wanted
            claim = claims.claim(groups, most, by, is_watched=board.is_watched(lane))
            if claim is None:
                break
            queues.take_out(len(claim.rows) - self._bell.account_for(len(claim.rows)))
            self._shelf.put(claim, self._safe_until_s(begin_s))
            claimed += len(claim.rows)
            is_urgent = False
            if not by.grouped:
                break
        return claimed

    def _claim_suspect(self, lanes: dict[Lane, Claimant], *, alone: bool) -> int:
        begin_s = since_boot_s()
        if claim := claims.claim_suspect(lanes, alone=alone):
            self._shelf.put(claim, self._safe_until_s(begin_s))
        return int(claim is not None)

    def _rest(self, deadline_s: float) -> None:
        """Until the bell rings, the shelf runs low, or the time (by the monotonic clock) has come."""
        if not self._is_behind:
            self._bell.listen()
        while not self._stop_asked and (left_s := deadline_s - time.monotonic()) > 0:
            if self._wake.wait(min(left_s, 0.1)):
                break
        self._wake.clear()

    def _send_loop(self) -> None:
        connections.limit_statements()
        while (chunk := self._shelf.take()) is not None:
            results: list[Result] = []
            try:
                connections.refresh()
                chunk, judged = self._ready(chunk)
                if judged:
                    results = self._dispatcher.send(chunk.held.claim, judged)
            except Exception as error:
                logger.exception("sending_failed", extra={"channel": chunk.lane.channel})
                self._lose(chunk, error)
            self._shelf.sent(chunk, gateway_s(results))
            self._recorder.put(chunk, results)
        connection.close()

    def _ready(self, chunk: Chunk) -> tuple[Chunk, list[Judged]]:
        """What is sent by one call; nothing when it may not be sent any more, or cannot be judged: it goes back."""
        claim = chunk.held.claim
        if chunk.held.safe_until_s >= since_boot_s():
            try:
                judged = self._dispatcher.judge(claim, chunk.rows, self._following(chunk))
                chunk, judged = self._one_post_of(chunk, judged)
                self._dispatcher.book(claim, judged)
            except Error as error:
                if not outages.is_outage(error):
                    raise
                logger.warning("message_not_judged", extra={"error": str(error)})
                outages.let_go(error)
            else:
                return chunk, judged
        self._unsent.put(chunk)
        return chunk, []

    def _one_post_of(self, chunk: Chunk, judged: list[Judged]) -> tuple[Chunk, list[Judged]]:
        """Of rows that were claimed as one post, those that share a call: a kill could double all others as well."""
        channel = self._dispatcher.channel(chunk.lane.channel)
        targets = {one.row.pk: channel.target(one.message) for one in judged if one.message}
        first = next(iter(targets.values()), "")
        others = [one for one in judged if targets.get(one.row.pk, first) != first]
        if not channel.batch_by_group or not others:
            return chunk, judged
        kept = [one for one in judged if one not in others]
        ordered = replace(chunk, rows=[one.row for one in (*kept, *others)])
        return self._shelf.put_back(ordered, [one.row for one in others]), kept

    def _following(self, chunk: Chunk) -> list[ClaimedRow]:
        """What is sent next, as far as the gateway is likely to take it within the second."""
        most = self._shelf.wanted(chunk.lane, AHEAD_MOST)
        return self._shelf.next_of(chunk.held, most)

    def _lose(self, chunk: Chunk, error: Exception) -> None:
        try:
            outbox.lose(chunk.rows, chunk.held.claim.token, f"{type(error).__name__}: {error}")
        except Error as why:
            outages.note(logger, why, waits="claim_waits_for_sweep", failed="claim_not_returned")

    def _wait_idle(self, timeout_s: float | None) -> bool:
        deadline_s = time.monotonic() + timeout_s if timeout_s is not None else None
        while not self._shelf.is_idle() and (deadline_s is None or time.monotonic() < deadline_s):
            time.sleep(0.02)
        return self._shelf.is_idle()

    def _shut_down(self) -> None:
        """What was not begun goes back; what is on its way may end in time, the rest returns by its lease."""
        try:
            for held in self._shelf.waiting():
                self._return(held)
            self._return_unsent()
            is_clean = self._wait_idle(STOP_WITHIN_S)
            self._bell.stop()
            self._shelf.close()
            self._recorder.stop(timeout_s=1.0)
            self._dispatcher.close()
            self._heart.stop()
        except Error as error:
            is_clean = False
            logger.warning("stopped_without_database", extra={"error": str(error)})
        logger.info("worker_stopped", extra={"clean": is_clean})


def gateway_s(results: Sequence[Result]) -> float | None:
    """How long the gateway took for all of them (None: it was not asked); those that shared a call count it once."""
    calls = {
        (
            one.claim.token if one.channel.batch_by_group else one.outcome.message_id
        ): one.outcome.gateway_ms
        for one in results
        if one.outcome
    }
    return sum(calls.values()) / 1000 if calls else None
