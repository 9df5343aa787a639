"""The text that a run writes: kept up to a limit (pure)."""

from __future__ import annotations

import io
import threading
from collections import deque


class OutputBuffer:
    """Keeps the head and the tail of what is written, each at most half of `limit` characters."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = io.StringIO()
        self._tail: deque[str] = deque()
        self._tail_size = self._dropped = 0
        self._lock = threading.Lock()
        self.version = 0

    def write(self, text: str) -> None:
        with self._lock:
            self.version += 1
            room = self._half - self._head.tell()
            self._head.write(text[:room] if room > 0 else "")
            if rest := text[max(room, 0) :]:
                self._tail.append(rest[-self._half :])
                self._tail_size += len(self._tail[-1])
                self._dropped += len(rest) - len(self._tail[-1])
            while self._tail_size - len(self._tail[0] if self._tail else "") > self._half:
                first = self._tail.popleft()
                self._tail_size -= len(first)
                self._dropped += len(first)

    def note_progress(self, percent: float, text: str) -> None:
        """There is something new to show, beside what is written."""
        self.version += 1

    def text(self) -> str:
        with self._lock:
            gap = f"\n… {self._dropped:,} characters left out …\n" if self._dropped else ""
            return self._head.getvalue() + gap + "".join(self._tail)
