"""The error that a refusal of a mail server stands for."""

from __future__ import annotations

from collections.abc import Mapping

from notifications_app.channels.email.reply_rules import Fault, Stage, fault_in
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    PolicyError,
    ThrottledError,
)
from scheduler_app.masking import mask
from scheduler_app.texts import cut_line

KINDS: Mapping[Fault, type[DeliveryError]] = {
    Fault.CHANNEL: ConfigurationError,
    Fault.POLICY: PolicyError,
    Fault.RECIPIENT: PermanentError,
    Fault.TRANSIENT: DeliveryError,
}


def error_for(stage: Stage, code: int, said: str) -> DeliveryError:
    """The error for a reply `code` with the text `said`."""
    said = cut_line(mask(said), 300)
    answer = f"{code} {said}"
    text = f"The mail server refused {stage.value}: {answer}"
    fault, pause_s = fault_in(stage, code, said)
    if fault is Fault.THROTTLE:
        return ThrottledError(text, retry_after_s=pause_s, code=str(code), answer=answer)
    return KINDS[fault](text, code=str(code), answer=answer)
