"""The quick settings with a channel of whose messages one kills its process."""

from __future__ import annotations

import os

from tests.quick_settings import *  # noqa: F403
from tests.quick_settings import VIGIL_NOTIFICATIONS

VIGIL_NOTIFICATIONS = {
    **VIGIL_NOTIFICATIONS,
    "EXTRA_CHANNELS": {"POISON": "tests.poison_channel.PoisonChannel"},
    "POISON": {"PATH": os.environ["VIGIL_TEST_POISON"], "TAKES_S": 0.05},
    "STORM": "1000/minute",
    "LEASE_S": 2.5,
    "SEND_DEADLINE_S": 1.0,
}
