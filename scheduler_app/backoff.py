"""How long a run waits until it is tried again (pure)."""

from __future__ import annotations

LONGEST_S = 6 * 3600.0
JITTER_SHARE = 0.2


def delay_s(attempt: int, base_s: float, jitter: float) -> float:
    """Twice as long after each attempt, at most six hours; `jitter` (-1 to 1) moves it by up to a fifth."""
    longest_s = max(LONGEST_S, base_s)
    return float(min(base_s * 2.0 ** min(attempt - 1, 30), longest_s) * (1 + JITTER_SHARE * jitter))
