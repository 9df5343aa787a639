"""Text of strangers for WeChat Work: it mentions nobody, links nowhere and formats nothing.

WeChat Work knows no escape character, so what would have a meaning is written with its full-width twin.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from scheduler_app.texts import clean, cut_line

ELLIPSIS = "…\n"
_LINE_START = re.compile(r"(?m)^([ \t]*)([#>]+)")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_WIDE = str.maketrans({"<": "＜", "`": "｀", "*": "＊", "[": "［", "]": "］"})
_WIDE_AT_START = str.maketrans({"#": "＃", ">": "＞"})
# what a URL may hold beside letters and digits; no brackets, which would end a link of markdown
_IN_URLS = ":/?#@!$&'+,;=%~-._"


def harmless(text: str) -> str:
    """For posts of type text: `<@id>` would call that person."""
    return clean(text).strip().replace("<@", "＜@")


def unformatted(text: str) -> str:
    """For posts of type markdown. Line ends of every kind are kept as such."""
    lines = "\n".join(clean(text).strip().splitlines())
    wide = _ENTITY.sub("＆", lines).translate(_WIDE)
    return _LINE_START.sub(lambda found: found[1] + found[2].translate(_WIDE_AT_START), wide)


def one_line(text: str, limit: int = 200) -> str:
    """`unformatted`, on one line of at most `limit` characters."""
    return unformatted(cut_line(text, limit))


def link(url: str) -> str:
    """`url` as it may stand in a link, "" unless it is one of the web."""
    url = clean(url).strip()
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return quote(url, safe=_IN_URLS) if parts.scheme in ("http", "https") and parts.netloc else ""


def fit(text: str, tail: str, limit: int) -> str:
    """`text` and, on lines of their own, `tail`, in at most `limit` bytes of UTF-8.

    Where something has to go it is the end of `text`, and a `tail` of more than half the limit.
    """
    whole = f"{text}\n{tail}" if tail else text
    if len(whole.encode()) <= limit:
        return whole
    kept = ELLIPSIS + (tail if len(tail.encode()) <= limit // 2 else "")
    head = text.encode()[: limit - len(kept.encode())].decode("utf-8", "ignore")
    return head.rstrip() + kept.rstrip()
