"""Becomes the command in its arguments, tied to the process that started it: `tether.py PARENT COMMAND ...`.

On Linux the kernel sends the command SIGTERM when that parent dies, even by SIGKILL, so that nothing is left behind.
Elsewhere the command runs untied. A program of its own, as what runs between fork and exec must not be Python.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the tie was made
            return
    os.execv(command[0], command)  # noqa: S606 - the supervisor's own list


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
