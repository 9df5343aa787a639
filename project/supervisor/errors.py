"""Why Vigil cannot start: each one's text is one line for the person who started it."""

from __future__ import annotations

from typing import ClassVar


class StartError(Exception):
    """Something to put right first."""

    exit_code: ClassVar[int] = 2


class DatabaseUnreachableError(StartError):
    """The database does not answer; starting again later may help."""

    exit_code: ClassVar[int] = 3
