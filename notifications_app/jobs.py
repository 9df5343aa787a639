"""The jobs of the job file that keep notifications moving."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from notifications_app import channel_states, conf, fan_out, outbox, queues
from notifications_app.board import Board
from notifications_app.dispatcher import NotificationDispatcher, dispatching, record_surely
from notifications_app.outbox import Claim
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
    """Return what dead workers held, and make the bell say how much is due."""
    returned = outbox.sweep()
    channel_states.ensure()
    now = db_now()
    rows = outbox.due(now).order_by("priority", "due_at", "id")
    ids = list(rows.values_list("pk", flat=True)[: conf.get().QUEUE_CAP])
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
    """Deliver here what is due, lane by lane, until nothing is left or the time is over."""
    deadline_s = time.monotonic() + conf.get().SYNC_BUDGET_S
    handled = 0
    with dispatching() as dispatcher:
        while time.monotonic() < deadline_s and (claims := _claims(dispatcher, batch)):
            for claim in claims:
                handled += _deliver(dispatcher, claim, deadline_s)
            _progress(f"{handled} handled")
    return {"handled": handled, "left": outbox.due(db_now()).count()}


def _claims(dispatcher: NotificationDispatcher, batch: int) -> list[Claim]:
    """One claim of each lane that is open, and one message of those that were lost with a worker.

    One that was lost alone only when there is nothing else.
    """
    board = Board.read(db_now(), partial(dispatcher.claimant, worker=None))
    found = [
        outbox.claim(groups, batch, board.channels[lane.channel], is_watched=board.is_watched(lane))
        for lane, groups in board.open_lanes().items()
    ]
    found.append(_suspect(board, alone=False))
    if not any(found):
        found.append(_suspect(board, alone=True))
    return [claim for claim in found if claim]


def _suspect(board: Board, *, alone: bool) -> Claim | None:
    suspected = outbox.suspect_lanes(board.now, alone=alone)
    lanes = {lane: board.channels[lane.channel] for lane in suspected if board.is_open(lane)}
    return outbox.claim_suspect(lanes, alone=alone)


def _deliver(dispatcher: NotificationDispatcher, claim: Claim, deadline_s: float) -> int:
    """Send `claim` message by message (or post by post); what the time does not allow goes back."""
    rows = list(claim.rows)
    at_once = len(rows) if dispatcher.channel(claim.lane.channel).batch_by_group else 1
    handled = 0
    while rows and time.monotonic() < deadline_s:
        part, rows = rows[:at_once], rows[at_once:]
        record_surely(dispatcher.send(claim.lane, part, claim.token, is_probe=claim.is_probe))
        handled += len(part)
    outbox.give_back(rows, claim.token)
    return handled


def _progress(text: str) -> None:
    if run := current_run():
        run.progress(0, text)
