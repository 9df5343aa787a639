"""Makes any text fit to be stored: no NUL bytes, no lone surrogates, bounded, without secrets."""

from __future__ import annotations

from scheduler_app.masking import mask

BYTES_OF_A_CHARACTER = 4
"""At most, in UTF-8."""


_UNSEEN = dict.fromkeys(map(ord, "\0\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
"""NUL and the characters without a width that come along when text is copied."""


def typed(text: str) -> str:
    """An id or a search as a person typed or pasted it, without unseen characters and surrounding white space."""
    return text.translate(_UNSEEN).strip()


def clean(text: str) -> str:
    """`text` without what PostgreSQL or UTF-8 refuse."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def storable(text: str, limit: int) -> str:
    """`text` cleaned, masked and cut to `limit` bytes of UTF-8: its head and its tail."""
    if not text:
        return ""
    return head_and_tail(mask(clean(head_and_tail(text, 2 * limit))), limit)


def head_and_tail(text: str, limit: int) -> str:
    """The first and the last half of `text` where it is longer than `limit` bytes of UTF-8."""
    if BYTES_OF_A_CHARACTER * len(text) <= limit:
        return text
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text
    cut = f"\n… {len(data) - limit:,} bytes left out …\n"
    half = max((limit - len(cut.encode())) // 2, 0)
    tail = data[len(data) - half :] if half else b""
    return data[:half].decode("utf-8", "ignore") + cut + tail.decode("utf-8", "ignore")


def cut_line(text: str, limit: int) -> str:
    """The first `limit` characters of `text` on one line."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
