"""What WeChat Work's error codes mean (developer.work.weixin.qq.com/document/path/90313 and 99110)."""

from __future__ import annotations

from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
)

PAUSE_S = 60.0

CONFIGURATION = {
    40001: "the secret is wrong",
    40013: "the company id is wrong",
    48001: "the robot may not send this",
    60020: "this machine's address is not among the trusted ones",
    93000: "the key is wrong, or the robot was removed from its group: check WECHAT_WEBHOOK_URL",
    93017: "the robot may not send here",
}
PERMANENT = {
    40003: "the member is unknown",
    40008: "the type of message is not allowed",
    40031: "a member is unknown",
    40033: "the text holds characters that are not allowed",
    40058: "the text is too long or not allowed",
    44004: "the text is empty",
    81013: "no member could be reached",
}
THROTTLED = (45009, 45033)


def error_of(errcode: int, errmsg: str, answer: str) -> DeliveryError:
    """The error for a code other than 0."""
    kept = {"code": str(errcode), "answer": answer}
    if errcode in THROTTLED:
        text = f"WeChat Work asks to slow down ({errcode})."
        return ThrottledError(text, retry_after_s=PAUSE_S, **kept)
    if errcode in CONFIGURATION:
        return ConfigurationError(f"WeChat Work: {CONFIGURATION[errcode]} ({errcode}).", **kept)
    if errcode in PERMANENT:
        return PermanentError(f"WeChat Work: {PERMANENT[errcode]} ({errcode}).", **kept)
    return DeliveryError(f"WeChat Work refused it with {errcode}: {errmsg[:200]}", **kept)
