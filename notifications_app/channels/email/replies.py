"""What a refusal of a mail server means (RFC 5321, RFC 3463, and what providers do beside them)."""

from __future__ import annotations

import re
from enum import Enum

from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
)
from scheduler_app.masking import mask
from scheduler_app.texts import cut_line


class Stage(Enum):
    """What was being said when the server refused; whose fault it is depends on it."""

    GREETING = "the connection"
    LOGIN = "the login"
    SENDER = "the sender"
    RECIPIENT = "the recipient"
    MESSAGE = "the message"


# Some providers call their limits by the code of something else, so here the words decide. In seconds: the pause.
_RATES: tuple[tuple[re.Pattern[str], float], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), pause_s)
    for pattern, pause_s in (
        (r"daily (sending|user|message) (quota|limit)", 3600.0),
        (r"\bMI:SFQ\b", 900.0),
        (r"\bHL:ICC\b|\bMI:DMC\b", 60.0),
        (r"frequency limited|connection denied|mailbox unavailable or access denied", 300.0),
        (r"too frequent|too many (connections|messages|mails|emails|login)", 300.0),
        (r"rate[ -]?limit|rate exceeded|throttl", 300.0),
    )
)
_OF_THE_ACCOUNT = frozenset({436, 530, 534, 535, 538})
"""Codes that speak of us: login needed, wrong or too weak; 436 is a sender that is not the account."""
_ENHANCED = re.compile(r"^[245]\.(\d{1,3}\.\d{1,3})\b")
_LOGIN_NEEDED = "7.8"
_MAILBOX_FULL = "2.2"
_ROUTING = "4.4"


def error_for(stage: Stage, code: int, said: str) -> DeliveryError:
    """The error for a reply `code` with the text `said`."""
    said = cut_line(mask(said), 300)
    answer = f"{code} {said}"
    text = f"The mail server refused {stage.value}: {answer}"
    for pattern, pause_s in _RATES:
        if pattern.search(said):
            return ThrottledError(text, retry_after_s=pause_s, code=str(code), answer=answer)
    return _kind(stage, code, _subject(said))(text, code=str(code), answer=answer)


def _kind(stage: Stage, code: int, subject: str) -> type[DeliveryError]:
    if code in _OF_THE_ACCOUNT or (code >= 500 and subject == _LOGIN_NEEDED):
        return ConfigurationError
    if code < 500 or subject in (_MAILBOX_FULL, _ROUTING):
        return DeliveryError
    if stage in (Stage.RECIPIENT, Stage.MESSAGE):
        return PermanentError
    # never charge the recipient for what the server has against us
    return ConfigurationError


def _subject(said: str) -> str:
    """The last two numbers of an enhanced status code, "" without one."""
    found = _ENHANCED.match(said)
    return found[1] if found else ""
