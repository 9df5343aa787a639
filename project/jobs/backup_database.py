"""A copy of the SQLite database that is known to open; servers have backup tools of their own."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from scheduler_app.clock import db_now
from scheduler_app.running import SkipRun

logger = logging.getLogger(__name__)

NAME = "vigil-%Y%m%dT%H%M%S%fZ.sqlite3"
WITNESS = "django_migrations"
"""A table that no database of ours is without, and that is never empty."""


class BackupError(Exception):
    """The copy is not fit to be a backup; it was thrown away."""


def back_up(*, keep_days: float = 14, folder: str = "") -> dict[str, Any]:
    """Copy the live database into `folder` (var/backups by default) and delete copies older than `keep_days`.

    Raises SkipRun on other databases, BackupError when the copy does not open, is damaged or is empty.
    """
    if connection.vendor != "sqlite":
        raise SkipRun(
            f"{connection.vendor} is backed up with its own tools (see docs/operations.md)."
        )
    target = Path(folder) if folder else Path(settings.VAR_DIR) / "backups"
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = db_now()
    finished = target / now.strftime(NAME)
    unfinished = finished.with_suffix(".unfinished")
    try:
        unfinished.touch(mode=0o600)
        _copy(unfinished)
        rows = _proved(unfinished)
        unfinished.replace(finished)
    finally:
        unfinished.unlink(missing_ok=True)
    logger.info("backup_made", extra={"file": finished.name, "rows": rows})
    removed = _remove_old(target, now - timedelta(days=keep_days), spare=finished)
    return {
        "file": finished.name,
        "bytes": finished.stat().st_size,
        "migrations": rows,
        "removed": removed,
    }


def _copy(path: Path) -> None:
    """In one step, which reads one state of the database and holds up no writer (WAL)."""
    connection.ensure_connection()
    assert connection.connection is not None
    with closing(sqlite3.connect(path)) as copy:
        connection.connection.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # so that the copy is one file


def _proved(path: Path) -> int:
    """How many rows the witness has in a copy that was opened and read from end to end."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as copy:
            (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise BackupError(f"The copy is damaged: {verdict}")
            (rows,) = copy.execute(f"SELECT COUNT(*) FROM {WITNESS}").fetchone()  # noqa: S608 - a constant
    except sqlite3.Error as error:
        raise BackupError(f"The copy cannot be read: {error}") from error
    if not rows:
        raise BackupError(f"The copy is empty: {WITNESS} has no rows.")
    return int(rows)


def _remove_old(folder: Path, oldest: datetime, *, spare: Path) -> int:
    old = [path for path, made_at in _backups(folder) if made_at < oldest and path != spare]
    for path in old:
        path.unlink()
    return len(old)


def _backups(folder: Path) -> Iterator[tuple[Path, datetime]]:
    """Copies by the time in their names; other files in the folder are nobody's business."""
    for path in sorted(folder.glob("vigil-*.sqlite3")):
        try:
            yield path, datetime.strptime(path.name, NAME).replace(tzinfo=UTC)
        except ValueError:
            continue
