"""What alerts tell the apps above them, after the commit that raised them."""

from __future__ import annotations

from scheduler_app.signals import BatchSignal

occurrences_ready = BatchSignal()
"""`occurrence_ids`: list of occurrences that people are to be told of."""
