"""What a suite is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.measure import Measure
from benchmarks.stage import Stage


class LeftOutError(Exception):
    """This trial cannot be made here; the text says why."""


class WrongRecordError(Exception):
    """The rows, the log or the totals do not say that every run ended exactly once: the figures are worth nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One thing that is tried, and the measures that come of it.

    `run` may raise LeftOutError, and WrongRecordError when the work was not done right.
    """

    name: str
    run: Callable[[Stage], Sequence[Measure]]
    not_quick: str = ""
    """Why `--quick` leaves it out."""
