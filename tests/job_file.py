"""The job file of processes that tests start: what the JSON file named by VIGIL_TEST_JOBS says."""

from __future__ import annotations

import json
import os
from pathlib import Path

_said = json.loads(Path(os.environ["VIGIL_TEST_JOBS"]).read_text())
JOBS = _said["jobs"]
CHANNELS = _said["channels"]
