"""What an SMTP server's refusal means (RFC 5321 and 3463, and what Chinese providers write; pure)."""

from __future__ import annotations

import re

from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
)
from scheduler_app.masking import mask

ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
TOO_FAST = re.compile(
    r"frequen|too many|rate limit|quota exceeded|limit exceeded|HL:ICC|MI:(DMC|SFQ)|connection denied",
    re.IGNORECASE,
)
MAILBOX_FULL = ("4.2.2", "5.2.2")
LOGIN = (530, 534, 535, 538)
LOGIN_ENHANCED = ("5.7.8", "5.7.9", "5.7.0")
RATE_PAUSE_S = 900.0


def error_of(code: int, text: str, *, stage: str) -> DeliveryError:
    """The error for reply `code` at `stage`: "login", "sender", "recipient" or "data".

    The text wins over the class: providers write 550 where they mean "slow down".
    """
    words = mask(" ".join(text.split()))[:500]
    found = ENHANCED.search(words)
    enhanced = found.group() if found else ""
    kept = {"code": enhanced or str(code), "answer": f"{code} {words}"}
    said = f"The mail server answered {code} {words}"
    if enhanced in MAILBOX_FULL:
        return DeliveryError(said, **kept)
    if TOO_FAST.search(words):
        return ThrottledError(said, retry_after_s=RATE_PAUSE_S, **kept)
    if stage == "login" or code in LOGIN or enhanced in LOGIN_ENHANCED:
        return DeliveryError(said, **kept) if code < 500 else ConfigurationError(said, **kept)
    if code < 500:
        return DeliveryError(said, **kept)
    if stage == "sender":  # our own address is not accepted: no recipient's fault
        return ConfigurationError(said, **kept)
    return PermanentError(said, **kept)
