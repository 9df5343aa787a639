"""The site's settings on a machine that gives a process no more than a few threads."""

from __future__ import annotations

import threading

from tests.quick_settings import *  # noqa: F403

MOST = 8
_start = threading.Thread.start


def start(self: threading.Thread) -> None:
    if threading.active_count() >= MOST:
        raise RuntimeError("can't start new thread")
    _start(self)


threading.Thread.start = start  # type: ignore[method-assign]
