"""Mobile numbers as gateways want them."""

from __future__ import annotations

import re

_BLANKS = re.compile(r"[\s\u00a0().·-]+")
_CHINA = re.compile(r"(?:\+|00)?86(?=1\d{10}$)")
_NUMBER = re.compile(r"\d{5,20}")


def normalise(number: str) -> str:
    """Digits only: a number in mainland China without its +86, another one with its country code.

    "" for what is no number.
    """
    digits = _CHINA.sub("", _BLANKS.sub("", number))
    digits = re.sub(r"^(?:\+|00)", "", digits)
    return digits if digits.isascii() and _NUMBER.fullmatch(digits) else ""
