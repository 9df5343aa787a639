"""Settings of gunicorn for the unit and scripts/run: `gunicorn -c python:project.gunicorn_config project.wsgi`.

Several workers keep the figures of the web processes in files of one folder, so that each answers `/metrics` for all of
them. Figures of a worker that ended are kept; a start of gunicorn begins at zero.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from decouple import config as read  # gunicorn has a setting of the name config

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client reads it when a worker imports it."""
DEFAULT_VAR_DIR = Path(__file__).resolve().parent.parent / "var"


def on_starting(server: Any) -> None:
    """In the parent, before it forks the workers: choose the folder and delete the files of the last start."""
    if server.cfg.workers > 1 and not os.environ.get(VARIABLE):
        var = Path(read("VAR_DIR", default=str(DEFAULT_VAR_DIR)))
        os.environ[VARIABLE] = str(var / "web-metrics")
    if folder := os.environ.get(VARIABLE):
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in Path(folder).glob("*.db"):
            file.unlink(missing_ok=True)


def child_exit(server: Any, worker: Any) -> None:
    """In the parent: what a worker said of itself alone (gauges of live processes) goes with it, its counts stay."""
    if os.environ.get(VARIABLE):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
