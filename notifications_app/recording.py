"""Writes what came of a group of messages: rows, attempts, lanes and figures in one transaction."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from notifications_app import (
    channel_alarms,
    channel_states,
    daily_counts,
    fallback,
    lanes,
    outbox,
    reconsider,
    rollups,
    summaries,
)
from notifications_app.channels.base import Channel, Outcome
from notifications_app.channels.configuration import digest_of
from notifications_app.claims import Claim, ClaimedRow
from notifications_app.errors import DeliveryError, PolicyError, ThrottledError
from notifications_app.judgement import Judged
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification, DeliveryAttempt
from notifications_app.outbox import Settlement, Verdict
from notifications_app.reconsider import PutOff
from notifications_app.states import AttemptOutcome, NotificationState, Reason
from notifications_app.verdicts import (
    blames_gateway,
    outcome_of,
    refuses_channel,
    verdict_on,
    wait_of,
)
from scheduler_app import bulk
from scheduler_app.states import Severity
from scheduler_app.texts import storable
from scheduler_app.transactions import brief

logger = logging.getLogger("NotificationDispatcher")

ANSWER_LIMIT_BYTES = 2048
ERROR_LIMIT_BYTES = 500
GATHER_S = 10.0
"""How long a summary of late messages takes more of them in."""
UNREACHED = (
    Reason.CHANNEL_OFF,
    Reason.DAILY_CAP,
    Reason.OUTCOME_UNKNOWN,
    Reason.TRIES_USED_UP,
)
UNREACHED_IF_CRITICAL = (Reason.REFUSED, Reason.NO_ADDRESS)
"""The person's own fault, which they see in their settings; what is critical is told in-app all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A claimed row, how it was judged, and what the gateway said to it where it was asked."""

    channel: Channel
    claim: Claim
    judged: Judged
    outcome: Outcome | None = None

    @property
    def error(self) -> DeliveryError | None:
        return self.outcome.error if self.outcome else None


def record(results: Sequence[Result]) -> None:
    """Write `results` for the rows that are still leased to their tokens; late ones leave an attempt only."""
    late = [one.judged.row for one in results if one.judged.verdict and one.judged.verdict.is_late]
    with brief() as now:
        ended = list(_together((one, _settlement(one, now)) for one in results))
        asked = [pair for pair in ended if _was_asked(*pair)]
        summaries.carry(late, now, wait_s=GATHER_S)
        kept = outbox.settle([settlement for _one, settlement in ended], now)
        attempts = [_attempt(*pair, now, pair[0].judged.row.pk not in kept) for pair in asked]
        bulk.insert(DeliveryAttempt, attempts)
        _help_unreached([pair for pair in ended if pair[0].judged.row.pk in kept], now)
        for lane in _unasked(results):
            lanes.end_probe(lane, now)
        _note_lanes([one for one in results if one.outcome], now)
        rollups.count(attempts, _births(asked), now)
    reconsider.look_again(_put_off(ended), now)
    for (one, settlement), attempt in zip(asked, attempts, strict=True):
        _log(one, settlement.verdict, attempt)


def _put_off(ended: Iterable[tuple[Result, Settlement]]) -> Iterator[PutOff]:
    for _one, settlement in ended:
        row, verdict = settlement.row, settlement.verdict
        if verdict.reason == Reason.QUIET_HOURS and verdict.due_at:
            yield PutOff(row.recipient_id, row.severity, verdict.due_at)


def _births(asked: Sequence[tuple[Result, Settlement]]) -> list[tuple[str, datetime]]:
    """Channel and birth of every message that its gateway accepted."""
    return [
        (one.channel.name, one.judged.row.created_at)
        for one, _settlement in asked
        if one.outcome and not one.outcome.error
    ]


def _settlement(one: Result, now: datetime) -> Settlement:
    judged = one.judged
    verdict = judged.verdict or verdict_on(
        one.channel, one.error, row=judged.row, is_probe=one.claim.is_probe, now=now
    )
    carried = list(judged.aside)
    if judged.verdict is None:
        if judged.told_resolve:
            verdict = replace(verdict, told_resolve=True)
        if verdict.state == NotificationState.SENT:
            verdict = replace(verdict, reason=_remark(one))
        if verdict.due_at is None:
            carried += [
                (row, replace(verdict, told_resolve=is_over)) for row, is_over in judged.told
            ]
    return Settlement(row=judged.row, token=one.claim.token, verdict=verdict, carried=carried)


def _together(
    ended: Iterable[tuple[Result, Settlement]],
) -> Iterator[tuple[Result, Settlement]]:
    """Give messages that failed in one post one time for the next try, so that they share that post as well."""
    due: dict[tuple[str, NotificationState], datetime] = {}
    for one, settlement in ended:
        verdict = settlement.verdict
        if one.error and one.channel.batch_by_group and verdict.due_at:
            due_at = due.setdefault((one.claim.token, verdict.state), verdict.due_at)
            yield one, replace(settlement, verdict=replace(verdict, due_at=due_at))
        else:
            yield one, settlement


def _remark(one: Result) -> Reason:
    """What is to be known of a message that was sent."""
    message = one.judged.message
    if message and one.channel.without_mention(message.person):
        return Reason.NO_MENTION
    return Reason.LAST_RESORT if one.judged.row.reason == Reason.LAST_RESORT else Reason.NONE


def _was_asked(one: Result, settlement: Settlement) -> bool:
    """Whether there is an attempt to be kept. That of a channel that is off called no gateway."""
    return one.outcome is not None or settlement.verdict.reason == Reason.CHANNEL_OFF


def _attempt(one: Result, settlement: Settlement, now: datetime, was_late: bool) -> dict[str, Any]:
    """The columns of a DeliveryAttempt."""
    row, outcome, error = one.judged.row, one.outcome, one.error
    gateway_ms = outcome.gateway_ms if outcome else 0.0
    answer = (error.answer if error else outcome.answer) if outcome else ""
    return {
        "notification_id": row.pk,
        "channel": row.channel,
        "number": row.tries + 1,
        "started_at": now - timedelta(milliseconds=gateway_ms),
        "gateway_ms": gateway_ms,
        "outcome": outcome_of(error) if outcome else AttemptOutcome.CONFIGURATION,
        "code": ((error.code if error else outcome.code) if outcome else "")[:64],
        "error": storable(str(error or settlement.verdict.error), ANSWER_LIMIT_BYTES),
        "answer": storable(answer, ANSWER_LIMIT_BYTES),
        "worker": row.worker,
        "was_late": was_late,
    }


def _help_unreached(mine: Sequence[tuple[Result, Settlement]], now: datetime) -> None:
    """Who could not be reached is told elsewhere; what was booked and not sent is given back."""
    lost: dict[str, list[AlertNotification | ClaimedRow]] = defaultdict(list)
    for one, settlement in mine:
        lost[one.channel.name] += _unreached(one, settlement)
        if one.error and outcome_of(one.error) != AttemptOutcome.UNKNOWN:
            daily_counts.release(one.channel, settlement.row.recipient_key, now)
        if settlement.verdict.reason == Reason.DAILY_CAP:
            channel_alarms.cap_reached(one.channel.name, settlement.verdict.error, now)
    for rows in lost.values():
        fallback.fall_back(rows, now)


def _unreached(one: Result, settlement: Settlement) -> list[AlertNotification | ClaimedRow]:
    """Rows that ended without having reached their people, or wait (for the first time) for settings to be mended."""
    verdict = settlement.verdict
    is_critical = one.judged.row.severity == Severity.CRITICAL
    reasons = (*UNREACHED, *UNREACHED_IF_CRITICAL) if is_critical else UNREACHED
    if verdict.state == NotificationState.DEAD and verdict.reason in reasons:
        return [settlement.row, *(row for row, end in settlement.carried if end.state == "DEAD")]
    told_before = one.judged.row.reason == Reason.CHANNEL_REFUSED
    if verdict.reason == Reason.CHANNEL_REFUSED and not told_before:
        return [settlement.row, *(row for row, _is_over in one.judged.told)]
    return []


def _note_lanes(asked: Sequence[Result], now: datetime) -> None:
    """What the answers say of each lane's gateway, and of the channel for its page and its alarm."""
    by_lane: dict[Lane, list[Result]] = defaultdict(list)
    by_channel: dict[str, list[Result]] = defaultdict(list)
    for one in asked:
        by_lane[one.claim.lane].append(one)
        if not isinstance(one.error, ThrottledError):
            by_channel[one.channel.name].append(one)
    for lane, results in sorted(by_lane.items()):
        _note_lane(lane, results, now)
    for name, results in sorted(by_channel.items()):
        _note_channel(name, results, now)


def _unasked(results: Sequence[Result]) -> list[Lane]:
    """The lanes whose probe asked no gateway."""
    probes = [one for one in results if one.claim.is_probe]
    return sorted({one.claim.lane for one in probes} - {p.claim.lane for p in probes if p.outcome})


_failing: set[Lane] = set()
"""Lanes whose last word in this process was a failure."""


def _note_lane(lane: Lane, results: Sequence[Result], now: datetime) -> None:
    refused = [one for one in results if refuses_channel(one.error)]
    if refused:
        _note_refusal(lane, refused, now)
        return
    throttled = [one.error for one in results if isinstance(one.error, ThrottledError)]
    blamed = [one.error for one in results if blames_gateway(one.error)]
    if throttled:
        lanes.pause(lane, max(map(wait_of, throttled)), str(throttled[0]), now)
        return
    if len(blamed) < len(results):
        if lane in _failing or any(one.claim.is_watched for one in results):
            _failing.discard(lane)
            if lanes.note_alive(lane):
                channel_alarms.lane_worked(lane, now)
        return
    _failing.add(lane)
    said, is_probe = _words(blamed[-1]), any(one.claim.is_probe for one in results)
    if lanes.note_failures(lane, len(_calls(results)), said, now, is_probe=is_probe):
        channel_alarms.breaker_opened(lane, said, now)


def _note_refusal(lane: Lane, refused: Sequence[Result], now: datetime) -> None:
    _failing.add(lane)
    said, digest = _words(refused[-1].error), digest_of(refused[-1].channel.options)
    is_probe = any(one.claim.is_probe for one in refused)
    if lanes.note_refusal(lane, len(_calls(refused)), said, digest, now, is_probe=is_probe):
        channel_alarms.refused(lane, said, now)


def _calls(results: Sequence[Result]) -> set[str]:
    """Messages that shared a call failed once."""
    return {
        one.claim.token if one.channel.batch_by_group else one.judged.row.uuid.hex
        for one in results
    }


def _note_channel(name: str, results: Sequence[Result], now: datetime) -> None:
    errors = [_words(one.error) if one.error else "" for one in results]
    failures = [error for error in errors if error]
    if len(failures) < len(errors) and channel_states.note_success(name, now):
        channel_alarms.worked(name, now)
    if failures:
        in_a_row = channel_states.note_failures(name, len(failures), failures[-1], now)
        channel_alarms.failed(name, in_a_row, failures[-1], now)
    if some := [one.error for one in results if isinstance(one.error, PolicyError)]:
        channel_alarms.message_refused(name, _words(some[-1]), now)


def _words(error: DeliveryError | None) -> str:
    return storable(str(error), ERROR_LIMIT_BYTES)


def _log(one: Result, verdict: Verdict, attempt: Mapping[str, Any]) -> None:
    level = logging.INFO if verdict.state == NotificationState.SENT else logging.WARNING
    extra = {
        "notification": one.judged.row.pk,
        "channel": one.judged.row.channel,
        "outcome": attempt["outcome"],
        "state": verdict.state,
        "error": attempt["error"],
        "gateway_ms": round(attempt["gateway_ms"], 1),
    }
    logger.log(level, "notification_attempt", extra=extra)
