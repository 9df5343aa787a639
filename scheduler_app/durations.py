"""Durations as people write them: 79 ms, 1.2 s, 3 min 20 s, 2 h 5 min, 3 d 4 h (pure).

Machine formats (JSON, CSV, figures for Prometheus) keep numbers.
"""

from __future__ import annotations

UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def spell_ms(value_ms: float) -> str:
    """A duration in milliseconds, with the two largest units that say it."""
    sign, value_ms = ("-" if value_ms < 0 else ""), abs(value_ms)
    if value_ms < 999.5:
        return f"{sign}{value_ms:.1g} ms" if 0 < value_ms < 1 else f"{sign}{value_ms:.0f} ms"
    seconds = value_ms / 1000
    if seconds < 59.5:
        return f"{sign}{seconds:.1f} s" if seconds < 9.95 else f"{sign}{seconds:.0f} s"
    return sign + _in_two_units(round(seconds))


def spell_s(value_s: float) -> str:
    """A duration in seconds."""
    return spell_ms(value_s * 1000)


def _in_two_units(seconds: int) -> str:
    number = next(n for n, (_unit, size) in enumerate(UNITS) if seconds >= size)
    (large, size), (small, part) = UNITS[number : number + 2]
    count, rest = divmod(round(seconds / part), size // part)
    return f"{count} {large} {rest} {small}" if rest else f"{count} {large}"
