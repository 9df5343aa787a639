"""How long a connection is kept: providers end one that carried much, is old, or was idle."""

from __future__ import annotations

import time

from notifications_app.channels.email.options import EmailOptions

MOST_IDLE_S = 30.0

WARM_S = 1.0


class Wear:
    """Of one connection, for one thread."""

    def __init__(self, options: EmailOptions) -> None:
        self._options = options
        self.opened()

    def opened(self) -> None:
        self._messages = 0
        self._is_clean = False
        self._opened_s = self._used_s = time.monotonic()

    def carries(self) -> None:
        """A message more, whatever becomes of it."""
        self._messages += 1
        self._is_clean = False

    def used(self) -> None:
        """The server has answered for a whole message, so it expects the next one."""
        self._is_clean = True
        self._used_s = time.monotonic()

    def is_warm(self) -> bool:
        """Used just now: asking whether it is still there would cost as much as finding out."""
        return self._is_clean and time.monotonic() - self._used_s < WARM_S

    def is_worn(self) -> bool:
        now_s = time.monotonic()
        return (
            self._messages >= self._options.max_messages
            or now_s - self._opened_s >= self._options.max_age_s
            or now_s - self._used_s > MOST_IDLE_S
        )
