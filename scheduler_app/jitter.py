"""How long after its slot a run is started, so that jobs of one minute do not start in one second (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b

STEPS = 2**64


def start_of(job_id: str, slot: datetime, jitter_s: float) -> datetime:
    """From `slot` up to `jitter_s` later, evenly spread; the same slot of a job always starts at the same time."""
    if not jitter_s:
        return slot
    digest = blake2b(f"{job_id} {slot.timestamp()}".encode(), digest_size=8).digest()
    return slot + timedelta(seconds=jitter_s * (int.from_bytes(digest) / STEPS))
