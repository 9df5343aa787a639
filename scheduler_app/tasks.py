"""The one Celery task: a message that makes a worker look for queued runs. What it says decides nothing.

Importing this module makes the processes of a Celery worker nodes that execute runs of the worker's queues.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app, shared_task, signals
from celery.concurrency.prefork import TaskPool as PreforkPool

from scheduler_app import console_log
from scheduler_app.executors.celery_process import CeleryProcess
from scheduler_app.executors.doorbell import TASK

logger = logging.getLogger(__name__)

_process: CeleryProcess | None = None


@shared_task(name=TASK, acks_late=False, ignore_result=True)  # type: ignore[untyped-decorator]
def look(*args: Any, **kwargs: Any) -> None:
    """Take and execute what waits; a message that says anything was not sent by us."""
    if args or kwargs:
        logger.warning("doorbell_not_ours", extra={"arguments": len(args) + len(kwargs)})
    elif _process and _process.node:
        _process.node.turn()


def prepare(**_: Any) -> None:
    """Before the pool is forked."""
    global _process
    _process = CeleryProcess()


def begin_child(**_: Any) -> None:
    console_log.install(logging.INFO)
    if _process:
        _process.be_child(_queues())


def begin_main(sender: Any, **_: Any) -> None:
    console_log.install(logging.INFO)
    if _process:
        is_prefork = isinstance(sender.pool, PreforkPool)
        _process.be_main(_queues(), 0 if is_prefork else sender.pool.num_processes)


def ask_end(**_: Any) -> None:
    if _process:
        _process.ask_end()


def end(**_: Any) -> None:
    """Celery ends by itself, or lets a process of its pool go."""
    if _process:
        _process.stop()
        logging.shutdown()


def _queues() -> tuple[str, ...]:
    return tuple(current_app.amqp.queues.consume_from)


signals.worker_init.connect(prepare)
signals.worker_process_init.connect(begin_child)
signals.worker_ready.connect(begin_main)
signals.worker_shutting_down.connect(ask_end)
signals.worker_process_shutdown.connect(end)
signals.worker_shutdown.connect(end)
