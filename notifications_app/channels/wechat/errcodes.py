"""What the errcode of WeChat Work means (developer.work.weixin.qq.com, document/path/90313, 90454 and 99110).

HTTP is 200 whatever happened, and errmsg is for people: only errcode counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
)

OK = 0
TOKEN_WRONG, TOKEN_MISSING, TOKEN_OLD = 40014, 41001, 42001
TOO_LONG = 40058
"""Also said of other wrong arguments; of a text of ours it is the length."""
PAUSE_S = 60.0
"""Blocks by minute last a minute (page 90454)."""

MEANINGS: Mapping[int, tuple[type[DeliveryError], str]] = {
    -1: (DeliveryError, "busy"),
    6000: (DeliveryError, "version conflict"),
    45033: (DeliveryError, "too many calls at once"),
    45009: (ThrottledError, "too many messages"),
    93000: (ConfigurationError, "the robot or its key does not exist"),
    40001: (ConfigurationError, "the secret is wrong"),
    40013: (ConfigurationError, "the company id is wrong"),
    TOKEN_WRONG: (ConfigurationError, "the token is wrong"),
    TOKEN_MISSING: (ConfigurationError, "the token is missing"),
    TOKEN_OLD: (ConfigurationError, "the token is too old"),
    48001: (ConfigurationError, "this API is not permitted"),
    60011: (ConfigurationError, "no permission"),
    60020: (ConfigurationError, "the address of this server is not trusted"),
    301002: (ConfigurationError, "no permission"),
    TOO_LONG: (PermanentError, "an argument is wrong, or the text too long"),
    44004: (PermanentError, "the text is empty"),
    40008: (PermanentError, "the type of message is wrong"),
    40033: (PermanentError, "a character is not allowed"),
    81013: (PermanentError, "the recipients do not exist"),
    40003: (PermanentError, "the user id does not exist"),
    40031: (PermanentError, "the user ids do not exist"),
}


def error_for(errcode: int, errmsg: str, answer: str) -> DeliveryError:
    """The error that `errcode` (not 0) stands for. One that is not in the table may pass: transient."""
    kind, meaning = MEANINGS.get(errcode, (DeliveryError, "not a known code"))
    text = f"WeChat Work refused: {meaning} (errcode {errcode}: {errmsg})"
    if kind is ThrottledError:
        return ThrottledError(text, retry_after_s=PAUSE_S, code=str(errcode), answer=answer)
    return kind(text, code=str(errcode), answer=answer)
