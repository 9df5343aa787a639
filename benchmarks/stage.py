"""What every trial is given: servers, databases, a folder, and how much it may take."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases import Databases
from tests import servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    quick: bool
    runs: int
    """How often each side runs; the medians count."""
    folder: Path
    databases: Databases
    redis_url: str
    full: bool
    """Whether what takes very long is done at its whole size."""
    profile: Path | None
    """Where the stacks of each scheduler go."""
    say: Callable[[str], None]


@contextlib.contextmanager
def open_stage(
    *, quick: bool, full: bool, runs: int, profile: Path | None, say: Callable[[str], None]
) -> Iterator[Stage]:
    """PostgreSQL and Redis are those of TEST_DATABASE_URL and TEST_REDIS_URL, else started from wheels."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vigil-benchmarks-")))
        databases = Databases(stack.enter_context(servers.postgres()), folder)
        stack.callback(databases.close)
        redis_url = stack.enter_context(servers.redis())
        yield Stage(
            quick=quick, full=full, runs=runs, folder=folder, databases=databases,
            redis_url=redis_url, profile=profile, say=say,
        )  # fmt: skip
