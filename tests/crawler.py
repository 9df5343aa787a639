"""Follows every link of a site, so that a test sees where one leads nowhere."""

from __future__ import annotations

import html
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urldefrag, urljoin, urlsplit

LINK = re.compile(
    r"""<(?:a|link|script|img|use|form)\b[^>]*?\s(?:href|src|action)=["']([^"']*)["']"""
)
LIVE = re.compile(r"""\shx-get=["']([^"']*)["']""")
ENDS = re.compile(r"/(?:logout|language|jsi18n)/|/delete/$|/history/$|/password/$")
MOST = 400

Get = Callable[[str], tuple[int, str]]
"""Status and text of an address; redirects are followed within the site."""


def crawl(get: Get, starts: Iterable[str], root: str) -> dict[str, int]:
    """The status of each address below `root` that the pages at `starts` lead to; of a form only where it leads.

    One page of each kind is enough: numbers in an address count as one number, and queries are not followed further.
    """
    statuses: dict[str, int] = {}
    seen: set[str] = set()
    waiting = deque(starts)
    while waiting and len(statuses) < MOST:
        address = waiting.popleft()
        if _kind(address) in seen or ENDS.search(urlsplit(address).path):
            continue
        seen.add(_kind(address))
        statuses[address], text = get(address)
        if urlsplit(address).query and address not in starts:
            continue
        waiting += [link for link in links_of(text, address) if link.startswith(root)]
    return statuses


def leads_nowhere(statuses: Mapping[str, int]) -> dict[str, int]:
    """What is wrong in an answer of `crawl`: a form's address is there where it refuses GET."""
    return {address: status for address, status in statuses.items() if status not in (200, 405)}


def links_of(text: str, address: str) -> list[str]:
    """The addresses in a page, absolute and without fragments."""
    found = [*LINK.findall(text), *LIVE.findall(text)]
    whole = (urljoin(address, html.unescape(one)) for one in found)
    return [urldefrag(one).url for one in whole if one.startswith(("http:", "https:"))]


def _kind(address: str) -> str:
    parts = urlsplit(address)
    names = sorted(name.partition("=")[0] for name in parts.query.split("&"))
    return re.sub(r"\d+", "0", parts.path) + "?" + "&".join(names)
