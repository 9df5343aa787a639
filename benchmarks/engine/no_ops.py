"""What the measured jobs call."""

from __future__ import annotations

import time


def note() -> float:
    """When the body was called; kept as the run's result."""
    return time.time()


def fail() -> None:
    raise ValueError("it failed")


def speak() -> float:
    """The same, and one line that is to be found in the run's output."""
    began = time.time()
    print("spoken")
    return began
