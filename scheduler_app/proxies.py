"""Clients for HTTP that use the proxies of the environment, as far as these can be used.

httpx refuses every request when it cannot read one item of NO_PROXY, or the URL of one proxy. Here each variable is
judged by itself: what cannot be used is left out, and `problems` names it.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import httpx

from scheduler_app.masking import MASK

SCHEMES = ("http", "https", "socks5", "socks5h")
VARIABLES = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "all": "ALL_PROXY"}
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*")


@dataclass(frozen=True, slots=True)
class ProxyProblem:
    """Why (a part of) a variable of the environment is left out, and what to write."""

    variable: str
    text: str
    hint: str


def client(url: str, *, is_direct: bool = False, **options: Any) -> httpx.Client:
    """A client for requests to the host of `url`, by its proxy unless `is_direct`; `options` are those of httpx."""
    proxy = None if is_direct else proxy_for(url)
    return httpx.Client(**{"trust_env": False, "verify": tls(), "proxy": proxy, **options})


def proxy_for(url: str) -> str | None:
    """The URL of the proxy for requests to `url`; None for a direct connection."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    given = getproxies_environment()
    if not host or any(_matches(item, host, port) for item in _items(given.get("no", ""))):
        return None
    for name in (parts.scheme, "all"):
        proxy, _why = _usable(given.get(name, ""))
        if proxy:
            return proxy
    return None


def problems() -> Iterator[ProxyProblem]:
    """What of the environment is left out."""
    given = getproxies_environment()
    for name, variable in VARIABLES.items():
        _proxy, why = _usable(given.get(name, ""))
        if why:
            text = f"{variable} cannot be used and is left out: {why}."
            hint = f"Write it as in {variable}=http://proxy.example.com:3128."
            yield ProxyProblem(variable, text, hint)
    for item in _items(given.get("no", "")):
        if not _is_readable(item):
            text = (
                f"NO_PROXY holds {item!r}, which is no host, address or network, and is left out."
            )
            hint = "Write it as in NO_PROXY=localhost,.example.com,10.0.0.0/8,::1."
            yield ProxyProblem("NO_PROXY", text, hint)


def _usable(value: str) -> tuple[str, str]:
    """The URL of a proxy as httpx takes it, or "" and why not. An empty value is neither."""
    text = value.strip().strip("'\"")
    if not text:
        return "", ""
    scheme, colon, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if colon else ("http", text)
    scheme = "socks5" if scheme == "socks" else scheme
    if scheme not in SCHEMES:
        return "", f"{scheme}:// is none of {', '.join(SCHEMES)}"
    if scheme.startswith("socks") and find_spec("socksio") is None:
        return "", "SOCKS needs a package that is not installed (pip install socksio)"
    url = f"{scheme}://{rest.rstrip('/')}"
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0 or parts.path or parts.query or parts.fragment:
            return "", _unreadable(rest)
        httpx.Proxy(url)
    except (ValueError, httpx.InvalidURL):
        return "", _unreadable(rest)
    return url, ""


def _unreadable(rest: str) -> str:
    shown = rest.rpartition("@")[2]
    secret = f"{MASK}@" if "@" in rest else ""
    return f"{secret}{shown} is not HOST:PORT (percent-encode a password: # is %23, / is %2F, @ is %40)"


def _items(value: str) -> list[str]:
    return [item for item in re.split(r"[\s,;]+", value.strip(" '\"")) if item]


def _matches(item: str, host: str, port: int | None) -> bool:
    """Whether `item` of NO_PROXY names `host` (in lower case): itself, its domain, its network or all (`*`)."""
    if item == "*":
        return True
    name, only_port = _parts(item)
    if only_port is not None and only_port != port:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(name) and (host == name or host.endswith(f".{name}"))
    network = _network(name)
    return network is not None and address in network


def _is_readable(item: str) -> bool:
    name, _port = _parts(item)
    return item == "*" or _network(name) is not None or bool(_HOST.fullmatch(name))


def _parts(item: str) -> tuple[str, int | None]:
    """The name, address or network that `item` is about, and the only port of it."""
    text = item.lower().rpartition("://")[2]
    found = re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?|([^:\[\]]*)(?::(\d{1,5}))?", text)
    if found is None:
        return text, None  # an address of IPv6 without brackets, or unreadable
    name, port = found[1] or found[3] or "", found[2] or found[4]
    return re.sub(r"^\*?\.", "", name), int(port) if port else None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


@cache
def tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # with SSL_CERT_FILE of the environment
