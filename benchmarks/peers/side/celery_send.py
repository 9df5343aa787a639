"""Sends COUNT no-ops, beginning at the Unix time AT."""

from __future__ import annotations

import sys
import time

from benchmarks.peers.side.celery_app import leave_row


def main(count: int, at: float) -> None:
    leave_row.delay(-1)  # connects
    time.sleep(max(at - time.time(), 0))
    for number in range(count):
        leave_row.delay(number)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
