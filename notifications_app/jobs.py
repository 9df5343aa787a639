"""The jobs of the job file that keep notifications moving."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from notifications_app import channel_states, claims, conf, fallback, fan_out, outbox, queues
from notifications_app.board import Board
from notifications_app.claims import Claim
from notifications_app.dispatcher import NotificationDispatcher, dispatching
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
    if (mode := queues.mode()) != "database":
        return {"alerts": alerts, "created": created, "mode": mode, "queued": queued}
    sent = deliver_due(notification_batch or conf.get().NOTIFICATION_BATCH)
    return {"alerts": alerts, "created": created, "mode": "sync", **sent}


def sweep_notifications() -> dict[str, Any]:
    """Return what dead workers held, and make the bell say how much is due."""
    returned = outbox.sweep()
    fallback.help_orphans()
    fallback.help_waiting()
    channel_states.ensure()
    now = db_now()
    rows = claims.due(now).order_by("priority", "due_at", "id")
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


def deliver_due(
    batch: int | None = None, *, on_found: Callable[[], object] = bool
) -> dict[str, int]:
    """Deliver here what is due, lane by lane, until nothing is left or the time (SYNC_BUDGET_S) is over.

    `on_found` is called for each claim: others may come and help.
    """
    deadline_s = time.monotonic() + conf.get().SYNC_BUDGET_S
    handled, found = 0, True
    with dispatching() as dispatcher:
        while found and time.monotonic() < deadline_s:
            found = False
            for claim in _claims(dispatcher, batch or conf.get().NOTIFICATION_BATCH):
                on_found()
                found = True
                handled += _deliver(dispatcher, claim, deadline_s)
            _progress(f"{handled} handled")
    return {"handled": handled, "left": claims.due(db_now()).count()}


def _claims(dispatcher: NotificationDispatcher, batch: int) -> Iterator[Claim]:
    """A claim of each lane that is open, when its turn comes; if there is none, a message that was lost.

    One that was lost alone comes last.
    """
    board = Board.read(db_now(), partial(dispatcher.claimant, worker=None))
    found = False
    for lane, groups in board.open_lanes().items():
        by = board.channels[lane.channel]
        if claim := claims.claim(groups, batch, by, is_watched=board.is_watched(lane)):
            found = True
            yield claim
    for alone, lanes in enumerate(claims.suspect_lanes(board.now)):
        by_lane = {lane: board.channels[lane.channel] for lane in lanes if board.is_open(lane)}
        if not found and (claim := claims.claim_suspect(by_lane, alone=bool(alone))):
            found = True
            yield claim


def _deliver(dispatcher: NotificationDispatcher, claim: Claim, deadline_s: float) -> int:
    """Send `claim` message by message (or post by post); what the time does not allow goes back."""
    rows = list(claim.rows)
    at_once = len(rows) if dispatcher.channel(claim.lane.channel).batch_by_group else 1
    handled = 0
    while rows and time.monotonic() < deadline_s:
        part, rows = rows[:at_once], rows[at_once:]
        dispatcher.deliver(claim, part)
        handled += len(part)
    claims.give_back(rows, claim.token)
    return handled


def _progress(text: str) -> None:
    if run := current_run():
        run.progress(0, text)
