"""What a service's answer means. Some answer 200 and refuse in the body, which the library takes for success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from notifications_app import http_client
from notifications_app.channels.wechat import errcodes
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from notifications_app.http_client import Answer
from scheduler_app.masking import mask
from scheduler_app.texts import cut_line

PAUSE_S = 60.0

# open.dingtalk.com, "custom robots"
DINGTALK: Mapping[int, type[DeliveryError]] = {
    130101: ThrottledError,
    410100: ThrottledError,
    300001: ConfigurationError,
    310000: ConfigurationError,
    400013: ConfigurationError,
    400101: ConfigurationError,
    400102: ConfigurationError,
    430101: PermanentError,
    430102: PermanentError,
    430103: PermanentError,
    430104: PermanentError,
    460101: PermanentError,
}
# open.feishu.cn, "custom bots"
FEISHU: Mapping[int, type[DeliveryError]] = {
    11232: ThrottledError,
    9499: PermanentError,
    19001: ConfigurationError,
    19021: ConfigurationError,
    19022: ConfigurationError,
    19024: ConfigurationError,
}
WECHAT = {errcode: kind for errcode, (kind, _meaning) in errcodes.MEANINGS.items()}
CODES: Mapping[str, tuple[str, Mapping[int, type[DeliveryError]]]] = {
    "dingtalk": ("errcode", DINGTALK),
    "feishu": ("code", FEISHU),
    "lark": ("code", FEISHU),
    "wecombot": ("errcode", WECHAT),
}
"""Where the verdict stands in the JSON of the answer, and what it means. Anything else but 0 may pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """All that is known of one try; `answer` and `said` (by the library) without secrets."""

    service: str
    scheme: str
    is_taken: bool
    answer: Answer | None
    was_sent: bool
    said: str


def of(heard: Heard) -> tuple[str, str]:
    """Code and answer of what was taken. Raises what else it means."""
    answer = heard.answer
    if answer is None:
        return _without_answer(heard)
    _look_into(heard, answer)
    if refused := http_client.refusal(answer, heard.service):
        raise refused
    if not heard.is_taken:
        kept = mask(answer.text)
        text = f"{heard.service} refused: {heard.said or cut_line(kept, 200)}"
        raise DeliveryError(text, code=f"HTTP {answer.status}", answer=kept)
    return f"HTTP {answer.status}", mask(answer.text)


def _without_answer(heard: Heard) -> tuple[str, str]:
    """By the library's word: not every service is reached over HTTP."""
    if heard.is_taken:
        return "", ""
    if heard.was_sent:
        raise UnknownOutcomeError(f"{heard.service} gave no verdict: it may have arrived.")
    raise DeliveryError(f"{heard.service}: {heard.said or 'the message could not be handed over'}")


def _look_into(heard: Heard, answer: Answer) -> None:
    """Raises what the code in the body means."""
    field, kinds = CODES.get(heard.scheme, ("errcode", {}))
    code = (answer.json_object() or {}).get(field)
    if not isinstance(code, int) or isinstance(code, bool) or code == 0:
        return
    kept = mask(answer.text)
    text = f"{heard.service} refused: {cut_line(kept, 200)}"
    kind = kinds.get(code, DeliveryError)
    if kind is ThrottledError:
        raise ThrottledError(text, retry_after_s=PAUSE_S, code=str(code), answer=kept)
    raise kind(text, code=str(code), answer=kept)
