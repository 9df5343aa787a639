"""Django's settings of the delivering processes: those of the project, with a channel whose gateway takes no time."""

from __future__ import annotations

import json
import os

from project.settings import *  # noqa: F403
from project.settings import VIGIL_NOTIFICATIONS as OF_PROJECT

VIGIL_NOTIFICATIONS = {
    **OF_PROJECT,
    "EXTRA_CHANNELS": {"NULL": "benchmarks.ours.null_channel.NullChannel"},
    "NULL": {"FILE": os.environ.get("BENCHMARK_ACCEPTED", os.devnull)},
    **json.loads(os.environ.get("BENCHMARK_NOTIFICATIONS", "{}")),
}
