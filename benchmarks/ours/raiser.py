"""Raises alerts: `python -m benchmarks.ours.raiser PLAN`, where PLAN is JSON with

    count      how many, each with a fingerprint `alertN` of its own
    every_s    from one to the next
    owner      who is told
    critical   each so-manieth is CRITICAL (1: all), the others are WARNING
    threads    how many raise them

Says "ready", and for each alert its fingerprint, when it began to be raised and when it and its notifications were
committed.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import django

django.setup()

from django.db import connection  # noqa: E402

from alerts_app.intake import NewAlert, raise_alert  # noqa: E402

BODY = "The export found no file for the day.\n" * 5
LEAD_S = 0.5


def main(count: int, every_s: float, owner: str, critical: int, threads: int = 1) -> None:
    connection.ensure_connection()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    begin_s = time.time() + LEAD_S

    def one(number: int) -> str:
        time.sleep(max(begin_s + number * every_s - time.time(), 0))
        name, began_s = f"alert{number}", time.time()
        severity = "CRITICAL" if number % critical == 0 else "WARNING"
        raise_alert(
            NewAlert(fingerprint=name, title=name, body=BODY, severity=severity, owner=owner)
        )
        return f"{name} {began_s:.6f} {time.time():.6f}\n"

    with ThreadPoolExecutor(threads) as pool:
        for line in pool.map(one, range(count)):
            sys.stdout.write(line)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
