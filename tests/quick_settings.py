"""The site's settings with short leases and graces, so that tests of what follows a death need not wait long."""

from __future__ import annotations

from project.settings import *  # noqa: F403
from project.settings import VIGIL_NOTIFICATIONS, VIGIL_SCHEDULER

VIGIL_SCHEDULER = {
    **VIGIL_SCHEDULER,
    "LEASE_S": 3.0,
    "BEAT_S": 0.4,
    "TERM_GRACE_S": 2.0,
    "SATURATED_S": 1.5,
    "PRELOAD_S": 2.0,
    "HEARTBEAT_EVERY_S": 1.0,
}
VIGIL_NOTIFICATIONS = {
    **VIGIL_NOTIFICATIONS,
    "LEASE_S": 4.0,
    "SEND_DEADLINE_S": 2.0,
    "POLL_S": 0.2,
}
