"""The database connections of threads that work for as long as their process lives."""

from __future__ import annotations

import threading
import time

from django.db import close_old_connections, connection

CHECK_EVERY_S = 1.0

_checked = threading.local()


def refresh() -> None:
    """As `close_old_connections`, after an error or once a second: each time it makes Django ask the server."""
    now_s = time.monotonic()
    if connection.errors_occurred or now_s - getattr(_checked, "at_s", 0.0) > CHECK_EVERY_S:
        _checked.at_s = now_s
        close_old_connections()
