"""Several threads that begin together."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any

from django.db import connection


def run_in_threads(count: int, work: Callable[..., Any]) -> None:
    """Call `work` (with the thread's number if it takes one) in `count` threads; their failures are this one's."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(count)
    takes_number = bool(inspect.signature(work).parameters)

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(*([number] if takes_number else []))
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
