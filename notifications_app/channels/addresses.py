"""Which addresses of the net are everybody's (pure).

The standard library's own tables are no help alone: they differ between versions of Python (CVE-2024-4032), and take
addresses that carry another one (mapped, NAT64, 6to4, Teredo) for public.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/96"))
_COMPATIBLE = IPv6Network("::/96")
# IANA's special-purpose registries, as of 2024
_SPECIAL: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32"),
        *("2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)


def is_public(address: Address) -> bool:
    """Whether `address`, and every other that it carries, is one of the whole net."""
    if not address.is_global or any(_holds(network, address) for network in _SPECIAL):
        return False
    return all(is_public(inner) for inner in _carried(address))


def may_reach(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether `address` is public or in one of the `allowed` networks, by all that it carries."""
    inner = list(_carried(address))
    if inner:
        return all(may_reach(one, allowed) for one in inner)
    return is_public(address) or any(_holds(network, address) for network in allowed)


def parse(text: str) -> Address | None:
    """The address that `text` is, without its scope; None for a name or anything else."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Raises ValueError, with the text in it, for what is no network."""
    return tuple(ip_network(text.strip(), strict=False) for text in texts)


def _holds(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network


def _carried(address: Address) -> Iterator[Address]:
    """The addresses that a gateway or the system may reach when `address` is dialled."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    elif address.sixtofour:
        yield address.sixtofour
    elif address.teredo:
        yield from address.teredo
    elif any(address in network for network in _NAT64) or (
        address in _COMPATIBLE and int(address) > 1
    ):
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
