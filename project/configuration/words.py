"""Texts that are made while the settings load, and translated when they are shown."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as translate


class Words:
    """A text with its facts. `str` translates it, once Django has its settings; before that it is English."""

    def __init__(self, text: str, **facts: object) -> None:
        self._text, self._facts = text, facts

    def __str__(self) -> str:
        text = translate(self._text) if settings.configured else self._text
        return text % {name: str(fact) for name, fact in self._facts.items()}

    def __repr__(self) -> str:
        return f"<{self}>"

    def __bool__(self) -> bool:
        return bool(self._text)


def _(text: str, **facts: object) -> Words:
    """The name marks the text for scripts/make_messages.py."""
    return Words(text, **facts)
