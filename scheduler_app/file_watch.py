"""Keeps a running process on the newest good version of the job file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from scheduler_app import jobfile, mirror
from scheduler_app.errors import JobFileError, StaleFileError
from scheduler_app.jobfile import JobFile

logger = logging.getLogger(__name__)

Sync = Callable[[JobFile], mirror.SyncReport | None]


def read_only(file: JobFile) -> None:
    """Leave the database as it is."""


class FileWatch:
    """Syncs the job file when its modification time changes; a broken version is told and not used.

    `sync` gets each good version: `mirror.sync`, or `read_only` in processes that only want to know the file.
    """

    def __init__(self, module: str, sync: Sync = mirror.sync) -> None:
        self._module, self._sync = module, sync
        self.digest = self.problem = ""
        self._path: Path | None = None
        self._seen = 0

    def start(self) -> mirror.SyncReport | None:
        """The sync at start. Raises JobFileError; an old version is told, and the newer one stays in force."""
        file = jobfile.load(self._module)
        self._path, self.digest = Path(file.path), file.digest
        self._seen = self._changed_at()
        try:
            return self._sync(file)
        except StaleFileError as error:
            self.problem = str(error)
            logger.error("job_file_stale", extra={"error": str(error)})
            return None

    def look(self) -> None:
        """Sync if the file changed since the last look that the database let come to its end."""
        changed_at = self._changed_at()
        if changed_at == self._seen:
            return
        try:
            file = jobfile.load(self._module)
            self._sync(file)
        except (JobFileError, StaleFileError) as error:
            self._seen = changed_at
            self.problem = str(error)
            extra = {"error": str(error), "in_force": self.digest[:12]}
            logger.error("job_file_broken", extra=extra)
        else:
            self._seen, self.digest, self.problem = changed_at, file.digest, ""

    def _changed_at(self) -> int:
        try:
            return self._path.stat().st_mtime_ns if self._path else 0
        except OSError:
            return -1
