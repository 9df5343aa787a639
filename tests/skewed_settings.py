"""The site's settings on a machine whose clock is 30 s ahead of the database's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import time_machine

from tests.quick_settings import *  # noqa: F403

time_machine.travel(datetime.now(UTC) + timedelta(seconds=30), tick=True).start()
