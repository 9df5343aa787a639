"""What the demo's jobs do when they run: nothing but what there is to see. `manage.py load_demo` adds them."""

from __future__ import annotations

import logging
import time
from typing import Any

from scheduler_app.running import SkipRun, current_run

logger = logging.getLogger(__name__)

STEPS = 20


def succeed(items: int = 40, seconds: float = 0.5) -> dict[str, Any]:
    """Pretend to import `items` things."""
    logger.info("%d items fetched", items)
    time.sleep(seconds)
    return {"imported": items, "skipped": 0}


def be_slow(seconds: float = 45) -> str:
    """Take `seconds`, and say how far it is on the way."""
    run = current_run()
    for step in range(STEPS):
        time.sleep(seconds / STEPS)
        if run:
            run.progress(100 * (step + 1) / STEPS, f"chapter {step + 1} of {STEPS}")
    return f"{STEPS} chapters"


def fail(text: str = "the other side did not answer") -> None:
    """Fail with `text`."""
    logger.warning("giving up")
    raise ConnectionError(text)


def skip(reason: str = "nothing to send") -> None:
    """Find that there is nothing to do."""
    raise SkipRun(reason)
