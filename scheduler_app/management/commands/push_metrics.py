from __future__ import annotations

from typing import Any

from scheduler_app import metrics_push
from scheduler_app.commands import VigilCommand
from scheduler_app.errors import SkipRun


class Command(VigilCommand):
    help = "Push all figures to the Prometheus Pushgateway that METRICS_PUSH_URL names."
    errors = (metrics_push.PushError, SkipRun)

    def work(self, **options: Any) -> None:
        self.say(metrics_push.push())
