"""What an answer of a gateway means for the message."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from notifications_app.channels.base import Channel
from notifications_app.claims import ClaimedRow
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    PolicyError,
    ThrottledError,
    UnknownOutcomeError,
)
from notifications_app.outbox import Verdict
from notifications_app.retries import next_delay_s
from notifications_app.states import AttemptOutcome, NotificationKind, NotificationState, Reason

THROTTLE_S = 60.0
"""How long a gateway is left alone that asks for a pause and does not say how long."""

OUTCOMES: tuple[tuple[type[DeliveryError], AttemptOutcome], ...] = (
    (ThrottledError, AttemptOutcome.THROTTLED),
    (ConfigurationError, AttemptOutcome.DENIED),
    (PermanentError, AttemptOutcome.PERMANENT),
    (UnknownOutcomeError, AttemptOutcome.UNKNOWN),
    (DeliveryError, AttemptOutcome.TRANSIENT),
)


SENT = Verdict(state=NotificationState.SENT, burns_try=True)


def outcome_of(error: DeliveryError | None) -> AttemptOutcome:
    if error is None:
        return AttemptOutcome.SENT
    return next(outcome for kind, outcome in OUTCOMES if isinstance(error, kind))


def blames_gateway(error: DeliveryError | None) -> bool:
    """Whether the breaker counts it: the gateway did not do its work, whatever the message was."""
    return outcome_of(error) in BLAMED


BLAMED = (AttemptOutcome.TRANSIENT, AttemptOutcome.UNKNOWN, AttemptOutcome.DENIED)


def refuses_channel(error: DeliveryError | None) -> bool:
    """Whether the gateway refuses every message until the channel's settings are mended."""
    return isinstance(error, ConfigurationError) and not isinstance(error, PolicyError)


def wait_of(error: ThrottledError) -> float:
    """Seconds for which the gateway is left alone."""
    return error.retry_after_s or THROTTLE_S


def verdict_on(
    channel: Channel, error: DeliveryError | None, *, row: ClaimedRow, is_probe: bool, now: datetime
) -> Verdict:
    """The next state of the message of `row`. A probe's failure burns no try."""
    if error is None:
        return SENT
    text = str(error)
    if isinstance(error, ThrottledError):
        due_at = now + timedelta(seconds=wait_of(error))
        return Verdict(
            state=NotificationState.PENDING, reason=Reason.CHANNEL_PAUSED, error=text, due_at=due_at
        )
    is_answered = row.kind == NotificationKind.TEST and refuses_channel(error)
    if isinstance(error, PermanentError) or is_answered:
        return _dead(Reason.REFUSED, text)
    if refuses_channel(error):
        # its lane is paused: it goes out when the settings are mended
        return Verdict(
            state=NotificationState.PENDING, reason=Reason.CHANNEL_REFUSED, error=text, due_at=now
        )
    unknown = isinstance(error, UnknownOutcomeError)
    if unknown and not channel.resends_unknown:
        return _dead(Reason.OUTCOME_UNKNOWN, text)
    # a probe is due as soon as its lane opens again, behind the others
    delay_s = 0.0 if is_probe else next_delay_s(row.tries + 1, jitter=random.uniform(-1, 1))  # noqa: S311
    if delay_s is None:
        return _dead(Reason.TRIES_USED_UP, text)
    return Verdict(
        state=NotificationState.UNKNOWN if unknown else NotificationState.FAILED,
        reason=Reason.CHANNEL_REFUSED if isinstance(error, PolicyError) else Reason.NONE,
        error=text,
        due_at=now + timedelta(seconds=delay_s),
        burns_try=not is_probe,
    )


def _dead(reason: Reason, error: str) -> Verdict:
    return Verdict(state=NotificationState.DEAD, reason=reason, error=error, burns_try=True)
