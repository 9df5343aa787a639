"""Tells apart what runs of one process log and print: each run has its own stdout and stderr.

`sys.stdout` and `sys.stderr` become properties while this process executes runs: a body that replaces or closes them
(`contextlib.redirect_stdout`) does so for its own run. `print` and C code read the module's dictionary, where a
`_Router` leads to the stream of the run that calls.
"""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from scheduler_app import running
from scheduler_app.output import OutputBuffer
from scheduler_app.running import RunHandle

NAMES = ("stdout", "stderr")
DELEGATED = (
    "close", "closed", "detach", "encoding", "errors", "fileno", "flush", "isatty", "newlines", "readable", "seek",
    "seekable", "tell", "truncate", "writable", "write", "writelines",
)  # fmt: skip
"""What `io.TextIOBase` defines itself, so that `__getattr__` is not asked for it."""

_is_forked = False


@contextmanager
def capturing() -> Iterator[None]:
    """While this process executes runs: give each run its own streams and log."""
    global _is_forked
    _is_forked = False
    handler, module = RunLogHandler(), sys.__class__
    real = {name: sys.__dict__[name] for name in NAMES}
    logging.getLogger().addHandler(handler)
    sys.__dict__.update({name: _Router(name, stream) for name, stream in real.items()})
    sys.__class__ = _RunAwareSys
    try:
        yield
    finally:
        sys.__class__ = module
        sys.__dict__.update(real)
        logging.getLogger().removeHandler(handler)


UTC_FORMAT = ("%Y-%m-%dT%H:%M:%S", "%s.%03dZ")
"""Names its zone, so that pages can show it in the reader's."""


class RunLogHandler(logging.Handler):
    """Copies log records to the output of the run that wrote them."""

    def __init__(self) -> None:
        super().__init__()
        formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        formatter.converter = lambda seconds: datetime.fromtimestamp(seconds or 0, UTC).timetuple()
        formatter.default_time_format, formatter.default_msec_format = UTC_FORMAT
        self.setFormatter(formatter)

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the handler's lock: an output has a lock of its own, and runs need not wait for one another."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        if run := _captured_run():
            run.output.write(self.format(record) + "\n")


class RunStream(io.TextIOWrapper):
    """stdout or stderr of one run, a text file like any other: what is written goes to the output of the run."""

    def __init__(self, name: str, output: OutputBuffer, real: TextIO) -> None:
        buffer = _RunBytes(name, output, real)
        super().__init__(buffer, "utf-8", "backslashreplace", "\n", write_through=True)
        self._output = output

    @property
    def mode(self) -> str:
        return "w"

    def write(self, text: str) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._output.write(text)
        return len(text)


class _RunBytes(io.BufferedIOBase):
    """`sys.stdout.buffer` of a run: its bytes become text, what is no UTF-8 becomes `\\xff`."""

    def __init__(self, name: str, output: OutputBuffer, real: TextIO) -> None:
        self.name = f"<{name}>"
        self._output, self._real = output, real
        self._decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.closed:
            raise ValueError("write to closed file")
        raw = bytes(data)
        self._output.write(self._decode(raw))
        return len(raw)

    def fileno(self) -> int:
        return self._real.fileno()


class _Proxy(io.TextIOBase):
    """A stream that is another one at each call: `target()`."""

    def __init__(self, target: Callable[[], TextIO]) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target(), name)

    def __del__(self) -> None:
        """The target is not this object's to close."""


def _delegated(name: str) -> property:
    def get(proxy: _Proxy) -> Any:
        return getattr(proxy._target(), name)

    return property(get)


for _name in DELEGATED:
    setattr(_Proxy, _name, _delegated(_name))


class _Router(_Proxy):
    """In the module's dictionary: leads to what the calling run has for `sys.stdout`; outside of runs to `real`.

    `base` is what the run finds there at first. It passes over what the run itself has put in its place, which often
    writes to what it found.
    """

    def __init__(self, name: str, real: TextIO) -> None:
        self._name, self.real = name, real
        self.base = _Proxy(self._of_run)
        super().__init__(self._in_force)

    def _of_run(self) -> TextIO:
        run = _captured_run()
        if run is None:
            return self.real
        if self._name not in run.streams:
            run.streams[self._name] = RunStream(self._name, run.output, self.real)
        return run.streams[self._name]

    def _in_force(self) -> TextIO:
        run = _captured_run()
        replaced = run.replaced_streams.get(self._name) if run else None
        return replaced or self._of_run()


class _RunAwareSys(types.ModuleType):
    """The class of the module `sys` while runs are executed."""


def _stream(name: str) -> Any:
    def get(module: types.ModuleType) -> Any:
        found = module.__dict__[name]
        if not isinstance(found, _Router):
            return found
        run = _captured_run()
        replaced = run.replaced_streams.get(name) if run else None
        return replaced if replaced is not None else found.base

    def put(module: types.ModuleType, value: Any) -> None:
        run, found = _captured_run(), module.__dict__.get(name)
        if run is None or not isinstance(found, _Router):
            module.__dict__[name] = (
                found if isinstance(found, _Router) and value is found.base else value
            )
        elif value in (found.base, found.real, getattr(sys, f"__{name}__"), None):
            run.replaced_streams.pop(name, None)
        else:
            run.replaced_streams[name] = value

    return property(get, put)


for _name in NAMES:
    setattr(_RunAwareSys, _name, _stream(_name))


def _captured_run() -> RunHandle | None:
    """The run whose output the caller writes; None in a process that a thread of this one forked."""
    return None if _is_forked else running.current_run()


def _note_fork() -> None:
    global _is_forked
    _is_forked = not running.is_process_of_run()


os.register_at_fork(after_in_child=_note_fork)
