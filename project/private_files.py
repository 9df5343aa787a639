"""Files that the site writes (database, logs, backups, locks) are for its own user alone, in every process."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

NAMES = ("*.sqlite3*", "*.log*", "*.lock", "backups/*")


def keep_private(folder: Path, *others: Path) -> None:
    """From now on this process makes files that others cannot open, and so are those that it made in `folder` before.

    `others` are single files elsewhere. What belongs to another user is left as it is.
    """
    os.umask(0o077)
    folder.mkdir(parents=True, exist_ok=True)
    home = Path(__file__).resolve().parent
    if folder.resolve() not in home.parents:
        _restrict(folder)
    for path in {*_written_in(folder), *others}:
        _restrict(path)


def database_files(database: Mapping[str, Any]) -> list[Path]:
    """The files of an entry of DATABASES; none on a server."""
    if not database["ENGINE"].endswith("sqlite3"):
        return []
    return [Path(f"{database['NAME']}{end}") for end in ("", "-wal", "-shm", "-journal")]


def _written_in(folder: Path) -> Iterator[Path]:
    for home in (folder, folder / "log"):
        for name in NAMES:
            yield from home.glob(name)


def _restrict(path: Path) -> None:
    with contextlib.suppress(OSError):
        found = path.lstat()
        kinds: Iterable[int] = (stat.S_IFREG, stat.S_IFDIR)
        if (
            stat.S_IFMT(found.st_mode) in kinds
            and found.st_uid == os.geteuid()
            and found.st_mode & 0o077
        ):
            path.chmod(found.st_mode & 0o700)
