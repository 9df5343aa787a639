"""The jobs of the job file that keep notifications moving."""

from __future__ import annotations

import time
import uuid
from typing import Any

from notifications_app import channel_states, conf, dispatcher, fan_out, outbox, queues
from notifications_app.channels import registry
from notifications_app.models import AlertNotification
from scheduler_app.clock import db_now
from scheduler_app.running import current_run


def send_alert_notifications(
    alert_batch: int | None = None, notification_batch: int | None = None
) -> dict[str, Any]:
    """Tell people of every alert that waits, then hand what is due to the queue, or deliver it here without one.

    Works in batches of `alert_batch` alerts and `notification_batch` notifications until nothing is left or the time
    budget (SYNC_BUDGET_S) is used up.
    """
    alerts, created = _fan_out_all(alert_batch or conf.get().ALERT_BATCH)
    queued = sweep_notifications()["queued"]
    if queues.mode() == "redis":
        return {"alerts": alerts, "created": created, "mode": "redis", "queued": queued}
    sent = _deliver_all(notification_batch or conf.get().NOTIFICATION_BATCH)
    return {"alerts": alerts, "created": created, "mode": "sync", **sent}


def sweep_notifications() -> dict[str, Any]:
    """Return what dead workers held, and make the Redis list show the backlog of the database."""
    returned = outbox.sweep()
    channel_states.ensure()
    now = db_now()
    ids = [
        pk
        for channel in registry.names()
        for pk in outbox.due(channel, now).values_list("pk", flat=True)[: conf.get().QUEUE_CAP]
    ]
    if queues.length() != len(ids):
        queues.refill(ids)
    return {"returned": returned, "queued": len(ids)}


def _fan_out_all(batch: int) -> tuple[int, int]:
    alerts = created = 0
    while found := fan_out.fan_out_due(at_once_only=False, limit=batch):
        if not found[0]:
            break
        alerts, created = alerts + found[0], created + found[1]
        _progress(f"{alerts} alerts, {created} notifications")
    return alerts, created


def _deliver_all(batch: int) -> dict[str, int]:
    deadline = time.monotonic() + conf.get().SYNC_BUDGET_S
    handled = 0
    channels = {n: registry.create(n, conf.channel_options(n)) for n in registry.names()}
    try:
        found = True
        while found and time.monotonic() < deadline:
            found = False
            for name in channel_states.open_channels(db_now()):
                for rows, token in _claim_posts(channels[name].batch_by_group, name, batch):
                    if time.monotonic() > deadline:
                        outbox.give_back([row.pk for row in rows], token)
                        continue
                    dispatcher.deliver(channels[name], rows, token)
                    handled += len(rows)
                    found = True
            _progress(f"{handled} handled")
    finally:
        for channel in channels.values():
            channel.close()
    left = sum(outbox.due(name, db_now()).count() for name in channels)
    return {"handled": handled, "left": left}


def _claim_posts(
    grouped: bool, channel: str, batch: int
) -> list[tuple[list[AlertNotification], str]]:
    token = uuid.uuid4().hex
    rows = outbox.claim(channel, batch, worker=None, token=token, same_occurrence=grouped)
    if grouped:
        return [(rows, token)] if rows else []
    return [([row], token) for row in rows]


def _progress(text: str) -> None:
    if run := current_run():
        run.progress(0, text)
