"""Lanes: what waits in each, and what all workers keep to there (pauses, breaker, rate limit).

A lane is one target of a channel: a robot, a host, or the channel's only gateway (""). Whatever happens in one lane
holds up no other. The one writer of LaneState.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Case, QuerySet, When

from notifications_app import conf
from notifications_app.models import AlertNotification, LaneState
from notifications_app.rate_limits import RateLimit

logger = logging.getLogger("NotificationDispatcher")

FIRST_OPENING_S, LONGEST_OPENING_S = 30.0, 600.0
FIRST_REFUSAL_S, LONGEST_REFUSAL_S = 60.0, 3600.0
"""Longer than the breaker's: providers lock accounts that try a wrong password too often."""
BREAKER = "breaker"
REFUSED = "refused"


class Lane(NamedTuple):
    channel: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one lane, priority and flow that wait; the first of them is due at `due_at`."""

    lane: Lane
    priority: int
    flow: int
    due_at: datetime


WAITING = """state IN ('PENDING', 'FAILED', 'UNKNOWN') AND held_by_id IS NULL
    AND carried_by_id IS NULL AND lost_claims = 0"""
"""The words of the index vigil_notification_due, so of every query that wants it."""


def groups() -> list[Group]:
    """All groups that have rows waiting, due or not, by one step of the index each (a loose index scan)."""
    with connection.cursor() as cursor:
        cursor.execute(_groups_sql())
        return [
            Group(Lane(channel, lane), priority, flow, _aware(due_at))
            for channel, lane, priority, flow, due_at in cursor.fetchall()
        ]


def _groups_sql() -> str:
    """Begins at the first entry of the index, then jumps behind each group to the next one."""
    key = ("channel", "lane", "priority", "flow")
    columns = ", ".join((*key, "due_at"))
    here, there = (", ".join(f"{name}{column}" for column in key) for name in ("", "g."))
    first = f"""
        SELECT {columns} FROM {AlertNotification._meta.db_table}
        WHERE {WAITING}"""  # noqa: S608 - names of our own
    order = f"ORDER BY {columns}, id LIMIT 1"
    step = f"{first} AND ({here}) > ({there}) {order}"
    if connection.vendor == "postgresql":
        steps = f"SELECT n.* FROM g, LATERAL ({step}) n"  # noqa: S608
    else:  # SQLite has no LATERAL: one step for each column, and a row of NULLs at the end
        picked = ", ".join(f"({step.replace(columns, column, 1)})" for column in (*key, "due_at"))
        steps = f"SELECT {picked} FROM g WHERE channel IS NOT NULL"  # noqa: S608
    return f"""
        WITH RECURSIVE g({columns}) AS (SELECT * FROM ({first} {order}) f UNION ALL {steps})
        SELECT {columns} FROM g WHERE channel IS NOT NULL"""  # noqa: S608


def _aware(moment: datetime | str) -> datetime:
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def known() -> dict[Lane, LaneState]:
    """The state of every lane that has one."""
    return {Lane(row.channel, row.lane): row for row in LaneState.objects.all()}


def pauses(now: datetime) -> Mapping[str, LaneState]:
    """By channel the pause that lasts longest."""
    rows = LaneState.objects.filter(paused_until__gt=now).order_by("paused_until")
    return {row.channel: row for row in rows}


def pause(lane: Lane, seconds: float, reason: str, now: datetime) -> None:
    """Claim nothing from `lane` for a while, because its gateway asked so."""
    until = now + timedelta(seconds=seconds)
    facts = {"paused_until": until, "pause_reason": reason[:200]}
    LaneState.objects.update_or_create(channel=lane.channel, lane=lane.name, defaults=facts)
    extra = {"channel": lane.channel, "lane": lane.name, "seconds": seconds, "why": reason}
    logger.warning("lane_paused", extra=extra)


def resume(channel: str, *, by: str) -> int:
    """An operator says that the gateway is well again; returns how many lanes were paused."""
    count = _open(LaneState.objects.filter(channel=channel, paused_until__isnull=False))
    logger.warning("lanes_resumed", extra={"channel": channel, "lanes": count, "by": by})
    return count


def resume_changed(digests: Mapping[str, str]) -> None:
    """Open lanes whose gateway refused other settings than those in force; `digests` are by channel."""
    for state in LaneState.objects.exclude(refused_settings=""):
        if digests.get(state.channel, state.refused_settings) != state.refused_settings:
            _open(LaneState.objects.filter(pk=state.pk, refused_settings=state.refused_settings))
            extra = {"channel": state.channel, "lane": state.lane}
            logger.warning("lane_resumed_with_new_settings", extra=extra)


def _open(paused: QuerySet[LaneState]) -> int:
    """End pauses. A lane that was refused keeps a failure, so that its next success is noticed (`note_alive`)."""
    failures = Case(When(refused_settings="", then=0), default=1)
    return paused.update(
        paused_until=None,
        pause_reason="",
        failures_in_a_row=failures,
        openings=0,
        refused_settings="",
    )


def refused(now: datetime) -> list[LaneState]:
    """The lanes whose gateway refuses the channel."""
    paused = LaneState.objects.filter(paused_until__gt=now).exclude(refused_settings="")
    return list(paused.order_by("channel", "lane"))


def ask_again(lane: Lane, now: datetime) -> None:
    """Let the next message ask whether the gateway still refuses the channel."""
    rows = LaneState.objects.filter(channel=lane.channel, lane=lane.name)
    rows.exclude(refused_settings="").update(paused_until=now)


def end_waits(now: datetime) -> None:
    """Let pauses and used-up rate limits end now: a breaker that is open probes, one that throttles says so again."""
    LaneState.objects.filter(paused_until__gt=now).update(paused_until=now)
    LaneState.objects.filter(spent_until__gt=now).update(spent_until=now)


def lock(lane: Lane) -> LaneState:
    """The row of `lane`, held until the end of the caller's transaction; made where it is missing."""
    own = LaneState.objects.select_for_update().filter(channel=lane.channel, lane=lane.name)
    if (found := own.first()) is None:
        LaneState.objects.bulk_create(
            [LaneState(channel=lane.channel, lane=lane.name)], ignore_conflicts=True
        )
        found = own.get()
    return found


def turns(state: LaneState, limit: RateLimit | None, most: int, now: datetime) -> int:
    """How many calls the lane allows now: none while it is paused, one while its breaker probes."""
    if state.paused_until and state.paused_until > now:
        return 0
    if state.openings:
        most = min(most, 1)
    return min(most, limit.free(state.spent_until, now)) if limit else most


def spend(state: LaneState, limit: RateLimit | None, calls: int, now: datetime) -> None:
    """Book `calls` calls that are about to be made, in the transaction that claims their rows.

    While a breaker's probe is on its way the lane stays closed.
    """
    if limit:
        state.spent_until = limit.spend(state.spent_until, now, calls)
    if state.openings:
        state.paused_until = now + timedelta(seconds=conf.get().LEASE_S)
    state.save(update_fields=["spent_until", "paused_until"])


def end_probe(lane: Lane, now: datetime) -> None:
    """The probe asked nobody, as its message was not to go out: the next one may."""
    LaneState.objects.filter(channel=lane.channel, lane=lane.name, openings__gt=0).update(
        paused_until=now
    )


def note_alive(lane: Lane) -> bool:
    """The gateway answered: whatever the breaker has counted is void. Returns whether it had counted anything."""
    rows = LaneState.objects.filter(channel=lane.channel, lane=lane.name, failures_in_a_row__gt=0)
    found = rows.update(
        failures_in_a_row=0,
        openings=0,
        paused_until=None,
        pause_reason="",
        refused_settings="",
    )
    return bool(found)


def note_failures(lane: Lane, count: int, error: str, now: datetime, *, is_probe: bool) -> bool:
    """The gateway failed `count` times in a row; whether that opened the breaker (again).

    It opens after BREAKER_AFTER failures, for 30 s; after each probe that fails twice as long, up to 10 minutes. What
    was on its way when it opened says nothing new.
    """
    state = lock(lane)
    state.failures_in_a_row += count
    opens = is_probe or (not state.openings and state.failures_in_a_row >= conf.get().BREAKER_AFTER)
    if opens:
        seconds = min(FIRST_OPENING_S * 2**state.openings, LONGEST_OPENING_S)
        state.openings += 1
        _close(state, seconds, f"{BREAKER}: {error}", now)
    state.save(update_fields=COUNTED)
    return opens


def note_refusal(
    lane: Lane, count: int, error: str, digest: str, now: datetime, *, is_probe: bool
) -> bool:
    """The gateway refuses the channel for its settings (of `digest`); whether that is new, or was asked again.

    The lane is paused at once; single messages ask after a minute, then after twice as long, up to an hour.
    """
    state = lock(lane)
    state.failures_in_a_row += count
    opens = is_probe or not state.refused_settings
    if opens:
        asked = state.openings if state.refused_settings else 0
        seconds = min(FIRST_REFUSAL_S * 2**asked, LONGEST_REFUSAL_S)
        state.openings, state.refused_settings = asked + 1, digest
        _close(state, seconds, f"{REFUSED}: {error}", now)
    state.save(update_fields=[*COUNTED, "refused_settings"])
    return opens


COUNTED = ("failures_in_a_row", "openings", "paused_until", "pause_reason")


def _close(state: LaneState, seconds: float, reason: str, now: datetime) -> None:
    state.paused_until = now + timedelta(seconds=seconds)
    state.pause_reason = reason[:200]
    extra = {"channel": state.channel, "lane": state.lane, "seconds": seconds, "why": reason}
    logger.warning("breaker_opened", extra=extra)
