"""Takes one claimed post from judgement to outcome. No transaction is open while a gateway is called."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import (
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    transaction,
)

from alerts_app.states import AlertState
from notifications_app import channel_states, conf, outbox, preferences, rollups, wording
from notifications_app.channels.base import Channel, Message, Outcome
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    MissingAddressError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from notifications_app.fallback import tell_in_app
from notifications_app.models import AlertNotification, DeliveryAttempt, NotificationSettings
from notifications_app.outbox import Verdict
from notifications_app.retries import next_delay_s
from notifications_app.states import (
    AttemptOutcome,
    NotificationKind,
    NotificationState,
    Reason,
)
from scheduler_app.clock import db_now
from scheduler_app.texts import storable

logger = logging.getLogger("NotificationDispatcher")

ANSWER_LIMIT_BYTES = 2048
THROTTLE_S = 60.0
RECORD_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class _Ready:
    """A row that passed judgement, and what will be said."""

    row: AlertNotification
    message: Message
    told_resolve: bool


def deliver(channel: Channel, rows: Sequence[AlertNotification], token: str) -> None:
    """Judge `rows` (claimed under `token`, sharing one call of the gateway), send, and write the outcomes."""
    assert not connection.in_atomic_block
    now = db_now()
    state = next(s for s in channel_states.all_states() if s.channel == channel.name)
    if problem := channel_states.problem_of(state):
        _refuse_all(rows, token, problem, now)
        return
    ready = []
    for row in rows:
        judged = _judge(channel, row, now)
        if isinstance(judged, Verdict):
            _settle_unsent(row, token, judged, now)
        else:
            ready.append(judged)
    if ready:
        outcomes = channel.send([item.message for item in ready])
        _record_surely(channel, ready, outcomes, token)


def _judge(channel: Channel, row: AlertNotification, now: datetime) -> Verdict | _Ready:
    """Whether the row may go out now, by what holds at this moment."""
    user = row.recipient
    if user is None or not getattr(user, "is_active", True):
        return Verdict(state=NotificationState.SUPPRESSED, reason=Reason.PERSON_GONE)
    if row.expires_at <= now:
        text = (
            f"Not delivered until {row.expires_at:%Y-%m-%d %H:%M} UTC, then too old to be of use."
        )
        return Verdict(state=NotificationState.DEAD, reason=Reason.EXPIRED, error=text)
    wishes = preferences.of(user)
    if unwanted := _unwanted(row, wishes, now):
        return unwanted
    person = preferences.person_of(wishes)
    try:
        row.address = channel.address(person)
    except MissingAddressError as error:
        return Verdict(state=NotificationState.DEAD, reason=Reason.NO_ADDRESS, error=str(error))
    words = wording.compose(
        row.alert,
        row.occurrence,
        row.kind,
        language=person.language,
        zone=wishes.timezone or conf.site_time_zone(),
    )
    message = Message(
        id=row.uuid.hex,
        group=f"{row.occurrence_id}:{row.kind}",
        thread=str(row.alert_id),
        kind=row.kind.lower(),
        severity=row.severity,
        subject=words.subject,
        text=words.text,
        html=words.html,
        link=row.alert.link,
        person=person,
        happened_at=row.occurrence.happened_at,
        label=words.label,
        title=words.title,
        body=words.body,
        facts=words.facts,
        category=row.alert.category,
        owner=row.alert.owner,
        labels=row.alert.labels,
    )
    merged = row.kind == NotificationKind.FIRE and row.alert.state == AlertState.RESOLVED
    return _Ready(row, message, merged)


def _unwanted(
    row: AlertNotification, wishes: NotificationSettings, now: datetime
) -> Verdict | None:
    if row.kind == NotificationKind.TEST:
        return None
    fell_back = row.channel == "SYSTEM" and row.reason == Reason.CHANNEL_OFF
    if not fell_back and not preferences.wants(wishes, row.channel):
        return Verdict(state=NotificationState.SUPPRESSED, reason=Reason.SWITCHED_OFF)
    if not fell_back and not preferences.is_severe_enough(wishes, row.channel, row.severity):
        return Verdict(state=NotificationState.SUPPRESSED, reason=Reason.BELOW_SEVERITY)
    if until := preferences.quiet_until(wishes, row.severity, now):
        return Verdict(state=NotificationState.PENDING, reason=Reason.QUIET_HOURS, due_at=until)
    return None


def _refuse_all(rows: Sequence[AlertNotification], token: str, problem: str, now: datetime) -> None:
    """The channel cannot send: end its messages with that error, and tell people in-app instead."""
    error = ConfigurationError(problem)
    with transaction.atomic():
        for row in rows:
            verdict = Verdict(
                state=NotificationState.DEAD,
                reason=Reason.CHANNEL_OFF,
                error=problem,
                burns_try=True,
            )
            _write(row, token, Outcome(message_id=row.uuid.hex, error=error), verdict, now)
            tell_in_app(row, now)
    extra = {"channel": rows[0].channel, "error": problem, "notifications": len(rows)}
    logger.error("channel_not_usable", extra=extra)


def _settle_unsent(row: AlertNotification, token: str, verdict: Verdict, now: datetime) -> None:
    with transaction.atomic():
        outbox.settle(row, token, verdict, now)
    extra = {"notification": row.pk, "state": verdict.state, "reason": verdict.reason}
    logger.info("notification_not_sent", extra=extra)


def _record_surely(
    channel: Channel, ready: Sequence[_Ready], outcomes: Sequence[Outcome], token: str
) -> None:
    """Write what came of a post, also when the database is away for a while: nothing is sent twice for that."""
    give_up_s = time.monotonic() + conf.get().LEASE_S / 2
    is_clear = True
    while True:
        try:
            if is_clear or outbox.is_held(
                token
            ):  # else the last commit went through, and only its answer was lost
                _record(channel, ready, outcomes, token)
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > give_up_s:
                raise
            is_clear = False
            logger.warning("outcome_waits_for_database", extra={"error": str(error)})
            time.sleep(RECORD_AGAIN_S)
            close_old_connections()
        else:
            return


def _record(
    channel: Channel,
    ready: Sequence[_Ready],
    outcomes: Sequence[Outcome],
    token: str,
) -> None:
    by_id = {outcome.message_id: outcome for outcome in outcomes}
    throttled: list[ThrottledError] = []
    now = db_now()
    with transaction.atomic():
        for item in ready:
            outcome = by_id[item.message.id]
            verdict = _verdict(channel, item, outcome.error, now)
            _write(item.row, token, outcome, verdict, now)
            if isinstance(outcome.error, ConfigurationError):
                tell_in_app(item.row, now)
            if isinstance(outcome.error, ThrottledError):
                throttled.append(outcome.error)
        if throttled and not channel.serves_own_hosts:
            wait_s = max(error.retry_after_s or THROTTLE_S for error in throttled)
            channel_states.pause(channel.name, wait_s, str(throttled[0]))
        else:
            answers = (by_id[item.message.id] for item in ready)
            _note(channel.name, [one for one in answers if one.error not in throttled], now)


def _verdict(channel: Channel, item: _Ready, error: DeliveryError | None, now: datetime) -> Verdict:
    """What an answer of the gateway means for the row."""
    if error is None:
        return Verdict(state=NotificationState.SENT, burns_try=True, told_resolve=item.told_resolve)
    text = str(error)
    if isinstance(error, ThrottledError):
        later = now + timedelta(seconds=error.retry_after_s or THROTTLE_S)
        return Verdict(
            state=NotificationState.PENDING, reason=Reason.CHANNEL_PAUSED, error=text, due_at=later
        )
    if isinstance(error, PermanentError | ConfigurationError):
        return _dead(Reason.REFUSED, text)
    unknown = isinstance(error, UnknownOutcomeError)
    if unknown and not channel.resends_unknown:
        return _dead(Reason.OUTCOME_UNKNOWN, text)
    delay_s = next_delay_s(item.row.tries + 1, jitter=random.uniform(-1, 1))  # noqa: S311
    if delay_s is None:
        return _dead(Reason.TRIES_USED_UP, text)
    return Verdict(
        state=NotificationState.UNKNOWN if unknown else NotificationState.FAILED,
        error=text,
        due_at=now + timedelta(seconds=delay_s),
        burns_try=True,
    )


def _dead(reason: Reason, error: str) -> Verdict:
    return Verdict(state=NotificationState.DEAD, reason=reason, error=error, burns_try=True)


OUTCOMES: tuple[tuple[type[DeliveryError], AttemptOutcome], ...] = (
    (ThrottledError, AttemptOutcome.THROTTLED),
    (ConfigurationError, AttemptOutcome.CONFIGURATION),
    (PermanentError, AttemptOutcome.PERMANENT),
    (UnknownOutcomeError, AttemptOutcome.UNKNOWN),
    (DeliveryError, AttemptOutcome.TRANSIENT),
)


def _write(
    row: AlertNotification, token: str, outcome: Outcome, verdict: Verdict, now: datetime
) -> None:
    """The row's new state, the attempt and the counts, in the caller's transaction."""
    error = outcome.error
    kept = outbox.settle(row, token, verdict, now)
    attempt = DeliveryAttempt.objects.create(
        notification=row,
        channel=row.channel,
        number=row.tries + 1,
        started_at=now - timedelta(milliseconds=outcome.gateway_ms),
        gateway_ms=outcome.gateway_ms,
        outcome=next((o for kind, o in OUTCOMES if isinstance(error, kind)), AttemptOutcome.SENT),
        code=(error.code if error else outcome.code)[:64],
        error=storable(str(error or ""), ANSWER_LIMIT_BYTES),
        answer=storable(error.answer if error else outcome.answer, ANSWER_LIMIT_BYTES),
        worker=row.worker,
        was_late=not kept,
    )
    rollups.count_attempts([attempt])
    if error is None:
        rollups.count_latency(row.channel, row.created_at, now)
    level = logging.INFO if error is None else logging.WARNING
    extra = {
        "notification": row.pk,
        "channel": row.channel,
        "outcome": attempt.outcome,
        "state": verdict.state,
        "error": attempt.error,
        "gateway_ms": round(outcome.gateway_ms, 1),
    }
    logger.log(level, "notification_attempt", extra=extra)


def _note(channel: str, outcomes: Sequence[Outcome], now: datetime) -> None:
    failures = [outcome.error for outcome in outcomes if outcome.error]
    if len(failures) < len(outcomes):
        channel_states.note_success(channel, now)
    if failures:
        channel_states.note_failure(channel, now, storable(str(failures[-1]), 500))
