"""Keeps what strangers name as a target (a webhook, an Apprise URL) from leading into the network of the site.

Judged is the address that is really dialled, at the moment when it is dialled: by Python's audit event of `connect`.
So it does not matter who resolved the name, how often, or what a redirect says.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Any

from notifications_app import conf
from notifications_app.channels import addresses
from notifications_app.channels.addresses import Network
from notifications_app.errors import DeliveryError, RefusedAddressError

_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})


class Watch:
    """What a block dialled: the last connection, and why one was refused."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self.refusal: RefusedAddressError | None = None
        self.is_over = False
        self._allowed = allowed
        self._wire: socket.socket | None = None

    def end(self) -> socket.socket | None:
        """From now on nothing is dialled; returns the connection to be cut."""
        self.is_over = True
        return self._wire

    def dialled(self, wire: socket.socket, target: Any) -> None:
        """Raises DeliveryError unless `target` may be reached."""
        if error := self._objection(target):
            wire.close()  # whoever dials closes it only after an error of the system
            raise error
        self.close()
        # a copy: TLS takes the descriptor away from the socket that dialled
        self._wire = socket.socket(fileno=os.dup(wire.fileno()))

    def _objection(self, target: Any) -> DeliveryError | None:
        if self.is_over:
            return DeliveryError("The time was over before the target was reached.")
        host = target[0] if isinstance(target, tuple) and target else None
        address = addresses.parse(host) if isinstance(host, str) else None
        if address is None or not addresses.may_reach(address, self._allowed):
            self.refusal = RefusedAddressError(
                "The target is not on the public net, and its network is not in PRIVATE_NETWORKS."
            )
            return self.refusal
        return None

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None


@contextlib.contextmanager
def watched() -> Iterator[Watch]:
    """In the block this thread reaches only the public net and PRIVATE_NETWORKS.

    Anything else raises RefusedAddressError where it is dialled; code in between may swallow it, so look at `refusal`.
    """
    _listen()
    watch = Watch(addresses.networks(conf.get().PRIVATE_NETWORKS))
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)
        watch.close()


_watch: ContextVar[Watch | None] = ContextVar("vigil_outbound", default=None)


@cache
def _listen() -> None:
    """Once a process: a hook cannot be removed, and outside of `watched` it returns at once."""
    sys.addaudithook(_heard)


def _heard(event: str, facts: tuple[Any, ...]) -> None:
    if event in _EVENTS and (watch := _watch.get()) is not None:
        wire, target = facts[0], facts[1]
        if target is not None:
            watch.dialled(wire, target)
