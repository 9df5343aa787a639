"""One log file that several processes append to and rotate, with no line torn and none lost.

A line is one `write` to a descriptor opened with O_APPEND, which the kernel does not mix with another process's. No
lock is held while writing, so that a process stopped in the middle holds up nobody; only rotation takes a lock, and
who does not get it writes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

MAX_BYTES = 20 * 1024 * 1024
OLD_FILES = 5
NOTHING = logging.makeLogRecord({})


class QuietFailure(logging.Handler):
    """A handler whose failure is told once on stderr and never reaches the caller."""

    failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if self.failed:
            return
        self.failed = True
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"Logging to {self.place()} does not work: {sys.exc_info()[1]}\n")

    def place(self) -> str:
        return str(getattr(getattr(self, "stream", None), "name", "a stream"))

    def write_lines(self, lines: Sequence[str]) -> None:
        """Write finished lines in one go; as with a record, a failure is told once and reaches nobody."""
        raise NotImplementedError


class SharedLogFile(QuietFailure):
    """Appends each record to `path`; at `max_bytes` the file becomes `path.1`, `path.1` becomes `path.2`, and so on.

    The file is opened at the first record, and again when somebody moved it away.
    """

    def __init__(
        self, path: Path, *, max_bytes: int = MAX_BYTES, old_files: int = OLD_FILES
    ) -> None:
        super().__init__()
        self.path = path
        self.max_bytes = max_bytes
        self.old_files = old_files
        self._descriptor = -1
        self._tail_is_torn = False

    def place(self) -> str:
        return str(self.path)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as in every logging handler: a line must not break its caller
            self.handleError(record)
        else:
            self.write_lines([line])

    def write_lines(self, lines: Sequence[str]) -> None:
        try:
            # a lone surrogate becomes \udXXX, which JSON reads as what it was
            self._append("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
            self.failed = False
        except Exception:  # noqa: BLE001 - as in every logging handler: a line must not break its caller
            self.handleError(NOTHING)

    def close(self) -> None:
        self.acquire()
        try:
            self._let_go()
        finally:
            self.release()
        super().close()

    def _append(self, line: bytes) -> None:
        self._be_open()
        if os.fstat(self._descriptor).st_size + len(line) > self.max_bytes:
            with contextlib.suppress(OSError):  # better too long a file than a lost line
                self._rotate()
            self._be_open()
        self._write(line)
        if os.fstat(self._descriptor).st_nlink == 0:  # rotated out of existence in between
            self._be_open()
            self._write(line)

    def _write(self, line: bytes) -> None:
        whole = b"\n" + line if self._tail_is_torn else line
        written = os.write(self._descriptor, whole)
        self._tail_is_torn = 0 < written < len(whole)
        if written < len(whole):
            raise OSError("the disk is full")

    def _be_open(self) -> None:
        if self._descriptor >= 0 and not self._is_current():
            self._let_go()
        if self._descriptor < 0:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o600)

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self.path))  # noqa: PTH116 - for every line
        except FileNotFoundError:
            return False

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._tail_is_torn = False

    def _rotate(self) -> None:
        with self._rotation_lock() as is_mine:
            if is_mine and self._is_current():
                for number in range(self.old_files - 1, 0, -1):
                    with contextlib.suppress(FileNotFoundError):
                        self._old(number).replace(self._old(number + 1))
                self.path.replace(self._old(1))

    def _old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    @contextlib.contextmanager
    def _rotation_lock(self) -> Iterator[bool]:
        """True if it is ours to rotate; never waits."""
        path = self.path.with_name(f".{self.path.name}.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield _try_lock(descriptor)
        finally:
            # unlocked by word, as a process forked meanwhile keeps the descriptor open
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
