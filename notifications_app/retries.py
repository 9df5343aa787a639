"""When a failed message is tried again (pure)."""

from __future__ import annotations

DELAYS_S = (5 * 60.0, 15 * 60.0, 30 * 60.0, 60 * 60.0)
JITTER = 0.2


def next_delay_s(tries: int, *, jitter: float = 0.0) -> float | None:
    """Seconds until the next try after `tries` failed ones; None when they are used up.

    `jitter` from -1 to 1 moves the delay by up to a fifth, so that what failed together does not come back together.
    """
    if tries > len(DELAYS_S):
        return None
    return DELAYS_S[tries - 1] * (1 + JITTER * jitter)
