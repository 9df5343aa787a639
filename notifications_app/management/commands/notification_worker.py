from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from notifications_app.waiting import all_waiting
from notifications_app.worker import Worker
from scheduler_app import forks
from scheduler_app.clock import db_now
from scheduler_app.commands import FINDINGS, VigilCommand


class Command(VigilCommand):
    help = (
        "Deliver notifications. Several may run at once, on any machine. Listens to the Redis list "
        "notification:dispatch:queue where REDIS_URL answers, and polls the database where it does not. "
        "SIGTERM ends it within 10 s and returns what it holds. --drain ends when nothing may go out now, and "
        "prints what still waits and until when. Its exit code is 0 when nothing is due, 1 when messages that are "
        "due are kept back (a rate limit, a pause, a held channel); what is due later (a retry, quiet hours) is no "
        "failure."
    )

    log_level = logging.INFO

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency",
            type=int,
            default=8,
            help="messages in flight, half of them by one channel at most (default 8)",
        )
        parser.add_argument("--once", action="store_true", help="deliver one batch, then end")
        parser.add_argument(
            "--drain",
            action="store_true",
            help="end when nothing may go out now, and say what waits",
        )

    def work(self, **options: Any) -> int:
        worker = Worker(max(options["concurrency"], 1))
        forks.on_stop(worker.stop)
        worker.run(once=options["once"], drain=options["drain"])
        return self._show_rest() if options["drain"] else 0

    def _show_rest(self) -> int:
        now = db_now()
        rest = all_waiting(now)
        if not rest:
            self.say("Nothing waits.")
            return 0
        self.say(f"{sum(one.count for one in rest)} messages wait:")
        columns = ("channel", "lane", "messages", "why", "next at (UTC)", "last at (UTC)")
        self.show_table(
            columns,
            [(*one.lane, one.count, one.why, _utc(one.next_at), _utc(one.last_at)) for one in rest],
        )
        return FINDINGS if any(one.is_due for one in rest) else 0


def _utc(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"
