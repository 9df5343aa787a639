"""The quick settings, with the wrapper's own log lines taken away."""

from __future__ import annotations

import logging

from tests.quick_settings import *  # noqa: F403

logging.getLogger("scheduler_app.runner").setLevel(logging.CRITICAL + 1)
