"""Whether a host is this machine, so that what goes there stays here."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Judged by the name alone: nothing is resolved. `host` may be a name or an address, with or without brackets."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
