"""What can go wrong with alerts."""

from __future__ import annotations


class AlertError(Exception):
    """Base of every error that alerts_app raises on purpose."""


class UnknownAlertError(AlertError, LookupError):
    """No alert has this id."""


class AlertStateError(AlertError):
    """The alert is in a state from which this move is not allowed."""
