"""The Celery task of NOTIFICATION_QUEUE=celery: a message that makes a worker look. What it says decides nothing."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task

from notifications_app import queues
from notifications_app.jobs import deliver_due
from notifications_app.queues import TASK

logger = logging.getLogger("NotificationDispatcher")


@shared_task(name=TASK, acks_late=False, ignore_result=True)  # type: ignore[untyped-decorator]
def deliver(*args: Any, **kwargs: Any) -> None:
    """Deliver what is due. Whoever finds something rings for one more, so that idle workers join in."""
    if args or kwargs:
        logger.warning("doorbell_not_ours", extra={"arguments": len(args) + len(kwargs)})
        return
    deliver_due(on_found=queues.ring_for_one_more)
