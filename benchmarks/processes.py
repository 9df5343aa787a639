"""The end of processes that have children."""

from __future__ import annotations

import contextlib

import psutil

from tests.servers import Running

TIMEOUT_S = 12.0


def end(process: Running) -> None:
    """SIGTERM, and SIGKILL for what of it is left after a while, children included."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
        process.stop(TIMEOUT_S)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    process.process.wait()
