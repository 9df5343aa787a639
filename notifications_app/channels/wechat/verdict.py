"""What an answer of WeChat Work means, robot or application alike: only the errcode in its body counts."""

from __future__ import annotations

from typing import Any

from notifications_app import http_client
from notifications_app.channels.wechat import errcodes
from notifications_app.errors import UnknownOutcomeError
from notifications_app.http_client import Answer
from scheduler_app.masking import mask
from scheduler_app.texts import cut_line


def accepted(answer: Answer) -> dict[str, Any]:
    """The body of an answer that accepts. Raises what else it means."""
    kept = mask(answer.text)
    found = answer.json_object() or {}
    errcode = found.get("errcode")
    if isinstance(errcode, int) and not isinstance(errcode, bool):
        if errcode == errcodes.OK and answer.status == 200:
            return found
        if errcode != errcodes.OK:
            raise errcodes.error_for(errcode, cut_line(mask(str(found.get("errmsg"))), 200), kept)
    if refused := http_client.refusal(answer, "WeChat Work"):
        raise refused
    said = cut_line(kept, 200) or "nothing"
    text = f"WeChat Work answered without an errcode, so it may have arrived: {said}"
    raise UnknownOutcomeError(text, code=f"HTTP {answer.status}", answer=kept)
