from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandParser

from notifications_app import outlook
from notifications_app.channels import registry
from notifications_app.errors import NotificationError
from notifications_app.models import AlertNotification
from notifications_app.recipients import problem_of, resolve
from notifications_app.states import FINAL_STATES, NotificationState
from notifications_app.test_messages import send_test
from scheduler_app.clock import db_now
from scheduler_app.commands import FINDINGS, VigilCommand


class Command(VigilCommand):
    help = (
        "Send a test message through the same row, worker and rules as every notification, and show what the gateway "
        "answered. Exit 1 when it was not accepted. `notifications trace` tells more of it."
    )
    errors = (NotificationError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--channel", required=True, type=str.upper, choices=registry.names())
        parser.add_argument("--to", required=True, metavar="USER", help="user name or address")
        parser.add_argument(
            "--wait", type=float, nargs="?", default=30, const=30, metavar="SECONDS",
            help="for the gateway's answer; default 30, 0: do not wait",
        )  # fmt: skip

    def work(self, **options: Any) -> int:
        if problem := problem_of(options["to"]):
            raise NotificationError(problem)
        rows = [send_test(options["channel"], user) for user in resolve(options["to"])]
        for row in rows:
            self.say(f"Notification {row.pk} to {row.recipient_name} is queued.")
        if not options["wait"]:
            return 0
        ended = [self._wait(row, options["wait"]) for row in rows]
        self.show_table(
            ("notification", "to", "state", "error", "answer"),
            [
                (r.pk, r.address or r.recipient_name, r.state, r.error_message, _answer(r))
                for r in ended
            ],
        )
        return 0 if all(row.state == NotificationState.SENT for row in ended) else FINDINGS

    def _wait(self, row: AlertNotification, timeout_s: float) -> AlertNotification:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            row.refresh_from_db()
            if row.state in FINAL_STATES or row.error_message:
                return row
            time.sleep(0.1)
        self.say("Nobody delivered it: is `manage.py notification_worker` running?")
        self.say(" ".join(outlook.of(row, db_now()).texts))
        return row


def _answer(row: AlertNotification) -> str:
    attempt = row.attempts.first()
    return attempt.answer[:200] if attempt else ""
