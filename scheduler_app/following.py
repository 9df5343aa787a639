"""What is new in a text that grows at its end and may lose its middle (pure)."""

from __future__ import annotations

ANCHOR = 200
"""So many characters of what was shown last are looked for, to go on behind them."""
LEFT_OUT = "\n…\n"


class Follower:
    """Shows a run's output piece by piece: each call of `new` returns what was not shown yet."""

    def __init__(self) -> None:
        self._shown = ""

    def new(self, text: str) -> str:
        """The part of `text`, the whole of what is kept so far, that comes after what was shown."""
        before, self._shown = self._shown, text
        if text.startswith(before):
            return text[len(before) :]
        found = text.rfind(before[-ANCHOR:])
        if found >= 0:
            return text[found + len(before[-ANCHOR:]) :]
        common = next(
            (n for n, (a, b) in enumerate(zip(before, text, strict=False)) if a != b), len(text)
        )
        return LEFT_OUT + text[common:]
