"""Small JSON messages over a stream between our own processes (pure).

Each has a line of its own, with an empty one before it, so that a message whose sender was interrupted in the middle
spoils no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def packed(**message: Any) -> bytes:
    return f"\n{json.dumps(message)}\n".encode("ascii")


class Inbox:
    """Puts received bytes together again."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The messages that `data` completes; what is none is passed over."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                yield message
