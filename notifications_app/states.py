"""The closed sets of notifications, and the moves a notification may make."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class NotificationKind(TextChoices):
    FIRE = "FIRE", _("fired")
    RESOLVE = "RESOLVE", _("resolved")
    REMIND = "REMIND", _("reminder")
    ESCALATE = "ESCALATE", _("escalation")
    SUMMARY = "SUMMARY", _("summary")
    TEST = "TEST", _("test")
    CONFIRM = "CONFIRM", _("confirmation")


class NotificationState(TextChoices):
    """PENDING and FAILED are due at a known time; SENDING is leased by a worker; the rest is final."""

    PENDING = "PENDING", _("pending")
    SENDING = "SENDING", _("being sent")
    FAILED = "FAILED", _("failed, will be tried again")
    UNKNOWN = "UNKNOWN", _("outcome unknown")
    SENT = "SENT", _("sent")
    DEAD = "DEAD", _("given up")
    SUPPRESSED = "SUPPRESSED", _("suppressed")
    WITHDRAWN = "WITHDRAWN", _("withdrawn")


DUE_STATES = (NotificationState.PENDING, NotificationState.FAILED, NotificationState.UNKNOWN)
FINAL_STATES = (
    NotificationState.SENT,
    NotificationState.DEAD,
    NotificationState.SUPPRESSED,
    NotificationState.WITHDRAWN,
)

MOVES: dict[NotificationState, tuple[NotificationState, ...]] = {
    **dict.fromkeys(DUE_STATES, (NotificationState.SENDING, NotificationState.WITHDRAWN)),
    NotificationState.SENDING: (*DUE_STATES, *FINAL_STATES),
    NotificationState.DEAD: (NotificationState.PENDING,),  # requeued by an operator
}


class Reason(TextChoices):
    """Why a notification waits or ended other than by being sent, and what is to be known of one that was sent."""

    NONE = "", ""
    REFUSED = "REFUSED", _("refused by the gateway")
    NO_ADDRESS = "NO_ADDRESS", _("no address")
    CHANNEL_OFF = "CHANNEL_OFF", _("the channel is off or not configured")
    TRIES_USED_UP = "TRIES_USED_UP", _("all tries failed")
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN", _("nobody knows whether it arrived")
    EXPIRED = "EXPIRED", _("too old to be of use")
    QUARANTINED = "QUARANTINED", _("killed its worker three times")
    SWITCHED_OFF = "SWITCHED_OFF", _("the person switched this channel off")
    BELOW_SEVERITY = "BELOW_SEVERITY", _("below the person's severity for this channel")
    PERSON_GONE = "PERSON_GONE", _("the person left")
    FIRING_UNTOLD = "FIRING_UNTOLD", _("the firing was never told")
    TOLD_WITH_FIRING = "TOLD_WITH_FIRING", _("told together with the firing")
    QUIET_HOURS = "QUIET_HOURS", _("quiet hours")
    CHANNEL_REFUSED = "CHANNEL_REFUSED", _("the gateway refuses the channel")
    CHANNEL_PAUSED = "CHANNEL_PAUSED", _("the channel is paused")
    IN_SUMMARY = "IN_SUMMARY", _("part of a summary")
    DAILY_CAP = "DAILY_CAP", _("the channel's daily cap is reached")
    NOTHING_LEFT = "NOTHING_LEFT", _("nothing of it was left to tell")
    NO_MENTION = "NO_MENTION", _("posted to the group without a mention")
    LAST_RESORT = "LAST_RESORT", _("no channel reaches the owner or the default recipients")


class AttemptOutcome(TextChoices):
    SENT = "SENT", _("accepted")
    TRANSIENT = "TRANSIENT", _("failed for now")
    PERMANENT = "PERMANENT", _("refused")
    DENIED = "DENIED", _("the gateway refuses the channel")
    CONFIGURATION = "CONFIGURATION", _("channel off or not configured")
    UNKNOWN = "UNKNOWN", _("outcome unknown")
    THROTTLED = "THROTTLED", _("asked to slow down")


SUCCESS_OUTCOMES = (AttemptOutcome.SENT,)
FAILURE_OUTCOMES = (
    AttemptOutcome.TRANSIENT,
    AttemptOutcome.PERMANENT,
    AttemptOutcome.DENIED,
    AttemptOutcome.UNKNOWN,
)
"""Of calls of a gateway. CONFIGURATION is not one of them: no gateway was called, so it counts in no rate of one."""
