"""The known name that a mistyped one probably means (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from django.utils.translation import gettext as _

LOOKED_AT = 10_000
"""Names, at most: the comparison takes some microseconds each."""
LONGEST = 200


def closest(name: object, known: Iterable[object]) -> str:
    """The one of `known` that `name` is close to, whatever their case; "" when none is close."""
    names: dict[str, str] = {}
    for one in map(str, known):
        names.setdefault(one.casefold(), one)
        if len(names) == LOOKED_AT:
            break
    close = difflib.get_close_matches(str(name)[:LONGEST].casefold(), names, n=1)
    return names[close[0]] if close else ""


def did_you_mean(name: str) -> str:
    """The question as a sentence; "" for no name."""
    return _("Did you mean %(name)s?") % {"name": name} if name else ""


def suggestion(name: object, known: Iterable[object]) -> str:
    """`did_you_mean` for the closest of `known`; "" when none is close."""
    return did_you_mean(closest(name, known))
