"""How many messages a day a channel that costs money may send (pure)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCaps:
    """Most messages between two midnights of the site's zone; 0: no limit."""

    per_person: int = 0
    total: int = 0

    def __bool__(self) -> bool:
        return bool(self.per_person or self.total)

    def refusal(self, *, to_person: int, to_all: int) -> str:
        """Why no further message may go out after so many today, "" when one may."""
        if self.total and to_all >= self.total:
            return f"The channel has sent {to_all} messages today, the most that DAILY_CAP allows."
        if self.per_person and to_person >= self.per_person:
            return (
                f"The person has got {to_person} messages today,"
                " the most that DAILY_CAP_PER_PERSON allows."
            )
        return ""
