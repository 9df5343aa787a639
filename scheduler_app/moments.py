"""Times as people type them: absolute in UTC, or so long ago (pure)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from scheduler_app.errors import ParameterError
from scheduler_app.timetable import UNIT_NAMES, UNITS_S

AGO = re.compile(r"(\d{1,9})\s*([a-z]+)(?:\s+ago)?", re.IGNORECASE)


def moment(text: str, now: datetime) -> datetime:
    """The time that `text` means: "now", "24h", "7 d ago", "2026-11-01", "2026-11-01T10:00+08:00".

    A time without a zone is UTC. Raises ParameterError, whose text says what to write.
    """
    if text.strip().lower() == "now":
        return now
    found = AGO.fullmatch(text.strip())
    unit = UNIT_NAMES.get(found[2].lower()) if found else None
    try:
        if found and unit:
            return now - timedelta(seconds=int(found[1]) * UNITS_S[unit])
        at = datetime.fromisoformat(text.strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ParameterError(
            f"{text!r} is no time: write 24h, 7d, now, 2026-11-01 or 2026-11-01T10:00 (UTC)."
        ) from None
