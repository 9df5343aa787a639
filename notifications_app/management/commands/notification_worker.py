from __future__ import annotations

import logging
import signal
from typing import Any

from django.core.management.base import CommandParser

from notifications_app.worker import Worker
from scheduler_app.commands import VigilCommand


class Command(VigilCommand):
    help = (
        "Deliver notifications. Several may run at once, on any machine. Listens to the Redis list "
        "notification:dispatch:queue where REDIS_URL answers, and polls the database where it does not. "
        "SIGTERM ends it within 10 s and returns what it holds."
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
        parser.add_argument("--drain", action="store_true", help="end when nothing is due any more")

    def work(self, **options: Any) -> None:
        worker = Worker(max(options["concurrency"], 1))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        worker.run(once=options["once"], drain=options["drain"])
