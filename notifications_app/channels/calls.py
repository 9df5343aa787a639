"""One call of a gateway, timed, and what it means for the messages that share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from notifications_app import conf
from notifications_app.channels.base import Message, Outcome
from notifications_app.errors import DeliveryError, NotAskedError

LEAST_S = 1.0
"""With less time left nothing is begun."""


class Deadline:
    """When a call of `send` has to be over: SEND_DEADLINE_S from now."""

    def __init__(self) -> None:
        self._at_s = time.monotonic() + conf.get().SEND_DEADLINE_S

    def left_s(self) -> float:
        """Seconds for the next call of the gateway. Raises NotAskedError when they are not worth a try."""
        left_s = self._at_s - time.monotonic()
        if left_s < LEAST_S:
            raise NotAskedError("No time was left for this message.")
        return left_s


T = TypeVar("T")
Call = Callable[[T, Deadline], tuple[str, str]]


def one_by_one(messages: Iterable[Message], call: Call[Message]) -> list[Outcome]:
    """Call the gateway for each message."""
    deadline = Deadline()
    return [
        outcome
        for message in messages
        for outcome in shared([message], partial(call, message, deadline))
    ]


def by_target(
    messages: Iterable[Message],
    target: Callable[[Message], Hashable],
    call: Call[Sequence[Message]],
) -> list[Outcome]:
    """Call the gateway once for each of `posts`."""
    deadline = Deadline()
    return [
        outcome
        for post in posts(messages, target)
        for outcome in shared(post, partial(call, post, deadline))
    ]


def posts(
    messages: Iterable[Message], target: Callable[[Message], Hashable]
) -> list[list[Message]]:
    """`messages` of one group that go to one `target`, together."""
    found: dict[Hashable, list[Message]] = {}
    for message in messages:
        found.setdefault((message.group, target(message)), []).append(message)
    return list(found.values())


def shared(messages: Sequence[Message], call: Callable[[], tuple[str, str]]) -> list[Outcome]:
    """The outcomes of `messages`, for all of which the gateway is called once.

    `call` returns code and answer of what was accepted, or raises DeliveryError.
    """
    began_s = time.monotonic()
    error: DeliveryError | None = None
    code = answer = ""
    try:
        code, answer = call()
    except DeliveryError as caught:
        error = caught
    gateway_ms = (time.monotonic() - began_s) * 1000
    return [
        Outcome(message_id=message.id, error=error, gateway_ms=gateway_ms, code=code, answer=answer)
        for message in messages
    ]
