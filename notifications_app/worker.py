"""The process that delivers: claims what is due, lane by lane, and hands it to a pool of threads."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from queue import SimpleQueue

from django.db import DatabaseError, close_old_connections, connection

from notifications_app import channel_states, conf, dispatcher, fan_out, outbox, queues
from notifications_app.channels import registry
from notifications_app.channels.base import Channel
from notifications_app.models import AlertNotification
from scheduler_app.clock import db_now
from scheduler_app.heart import Heart
from scheduler_app.states import NodeKind

logger = logging.getLogger("NotificationDispatcher")

GROUP_MOST = 50
SWEEP_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Post:
    """Rows that share one call of a gateway."""

    channel: str
    rows: tuple[AlertNotification, ...]
    token: str


class Worker:
    """`run()` blocks until `stop()`; with `drain` it ends when nothing is due any more.

    At most `concurrency` posts are in flight, so a kill can double at most that many (P5). One channel may hold all
    threads but one, so that a gateway that hangs leaves room for the others.
    """

    def __init__(self, concurrency: int = 4) -> None:
        self.concurrency = concurrency
        self._stop_asked = False
        self._channels: dict[str, Channel] = {}
        self._work: SimpleQueue[Post | None] = SimpleQueue()
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._may_listen = threading.Event()
        self._rung = 0
        """Entries that listening took off the list and no claim has accounted for yet."""
        self._swept_s = 0.0
        self._listener = threading.Thread(
            target=self._listen_loop, name="vigil-doorbell", daemon=True
        )
        self._threads = [
            threading.Thread(target=self._work_loop, name=f"vigil-post-{n}", daemon=True)
            for n in range(concurrency)
        ]

    def stop(self) -> None:
        """Only sets a flag: fit for a signal handler."""
        self._stop_asked = True

    def run(self, *, once: bool = False, drain: bool = False) -> None:
        settings = conf.get()
        self._channels = {
            name: registry.create(name, conf.channel_options(name)) for name in registry.names()
        }
        channel_states.ensure()
        self._heart = Heart(
            NodeKind.WORKER,
            lease_s=15.0,
            beat_s=2.0,
            slots=self.concurrency,
            figures=lambda: {"slots_busy": self._busy.total(), "tick_at": db_now()},
        )
        self._heart.start()
        for thread in (self._listener, *self._threads):
            thread.start()
        extra = {
            "worker": self._heart.node_id,
            "concurrency": self.concurrency,
            "queue": queues.mode(),
        }
        logger.info("worker_started", extra=extra)
        while not self._stop_asked:
            claimed = self._turn()
            if not claimed and (once or drain) and not self._busy.total():
                break
            if not claimed:
                self._rest(settings.POLL_S)
            if once:
                self._wait_idle()
                break
        self._shut_down()

    def _turn(self) -> int:
        """One look at everything that may be due; returns how many posts were handed out."""
        try:
            close_old_connections()
            self._sweep()
            fan_out.fan_out_due(at_once_only=True, limit=conf.get().ALERT_BATCH)
            return sum(self._serve(name) for name in channel_states.open_channels(db_now()))
        except DatabaseError as error:
            logger.warning("worker_waits_for_database", extra={"error": str(error)})
            time.sleep(conf.get().POLL_S)
            return 0

    def _sweep(self) -> None:
        if time.monotonic() - self._swept_s > SWEEP_EVERY_S:
            self._swept_s = time.monotonic()
            outbox.sweep()

    def _serve(self, name: str) -> int:
        """Claim for one lane as many posts as there are threads for it."""
        posts = 0
        while not self._stop_asked and self._has_room(name):
            post = self._claim(name)
            if post is None:
                break
            with self._lock:
                self._busy[name] += 1
                rung, self._rung = self._rung, max(self._rung - len(post.rows), 0)
            queues.take_out(len(post.rows) - rung)
            self._work.put(post)
            posts += 1
        return posts

    def _claim(self, name: str) -> Post | None:
        token = uuid.uuid4().hex
        grouped = self._channels[name].batch_by_group
        rows = outbox.claim(
            name,
            GROUP_MOST if grouped else 1,
            worker=self._heart.node_id,
            token=token,
            same_occurrence=grouped,
        )
        return Post(name, tuple(rows), token) if rows else None

    def _has_room(self, name: str) -> bool:
        most = max(self.concurrency - 1, 1)
        return self._busy.total() < self.concurrency and self._busy[name] < most

    def _rest(self, seconds: float) -> None:
        """Until the bell rings, a thread is free again, or the time is over."""
        deadline = time.monotonic() + seconds
        if self._busy.total() < self.concurrency:
            self._may_listen.set()
        while not self._stop_asked and time.monotonic() < deadline:
            if self._bell.wait(0.1):
                self._bell.clear()
                return

    def _listen_loop(self) -> None:
        """Waits at the doorbell, so that the main thread can wait for this and for its own threads at once.

        Only while there is a free thread: each ring takes an entry off the list, which is to show the backlog.
        """
        while not self._stop_asked:
            if not self._may_listen.wait(0.1) or not queues.wait(conf.get().POLL_S):
                continue
            self._may_listen.clear()
            with self._lock:
                self._rung += 1
            self._bell.set()

    def _work_loop(self) -> None:
        while (post := self._work.get()) is not None:
            try:
                close_old_connections()
                if self._stop_asked:
                    outbox.give_back([row.pk for row in post.rows], post.token)
                else:
                    dispatcher.deliver(self._channels[post.channel], post.rows, post.token)
            except DatabaseError as error:
                # the rows stay leased; the sweep returns them when the lease is over
                logger.warning("outcome_not_written", extra={"error": str(error)})
            except Exception:
                logger.exception("post_failed", extra={"channel": post.channel})
            finally:
                with self._lock:
                    self._busy[post.channel] -= 1
                self._bell.set()
                close_old_connections()
        connection.close()

    def _wait_idle(self, timeout_s: float | None = None) -> bool:
        deadline = time.monotonic() + timeout_s if timeout_s is not None else None
        while self._busy.total() and (deadline is None or time.monotonic() < deadline):
            time.sleep(0.02)
        return not self._busy.total()

    def _shut_down(self) -> None:
        """Nothing is claimed any more; what is in flight may end within 8 s, the rest returns by its lease."""
        idle = self._wait_idle(timeout_s=8.0)
        self._stop_asked = True
        # or it would take others' rings off the list
        self._listener.join(timeout=conf.get().POLL_S + 1)
        for _ in self._threads:
            self._work.put(None)
        for channel in self._channels.values():
            channel.close()
        try:
            self._heart.stop()
        except DatabaseError as error:
            logger.warning("stopped_without_database", extra={"error": str(error)})
        logger.info("worker_stopped", extra={"clean": idle})
