"""The quick settings, where what runs has hardly longer than a process may clean up when the site is stopped."""

from __future__ import annotations

from tests.quick_settings import *  # noqa: F403
from tests.quick_settings import VIGIL_SCHEDULER

VIGIL_SCHEDULER = {**VIGIL_SCHEDULER, "SHUTDOWN_S": 3.0}
