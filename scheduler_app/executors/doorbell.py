"""Rings for Celery workers: a message says "look", and what there is to do stands in the database."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any

from apscheduler.executors.base import BaseExecutor
from django.db import close_old_connections, connection
from django.utils.module_loading import import_string

from scheduler_app import claims, conf, connections, nodes, outages
from scheduler_app.clock import db_now
from scheduler_app.errors import BrokerError, CeleryAppError
from scheduler_app.masking import mask

logger = logging.getLogger(__name__)

TASK = "scheduler_app.look"
LOOK_S = 0.5
AFTER_FAILURE_S = 1.0
PATIENCE_S = 2
PATIENCE = {
    "redis": {"socket_connect_timeout": PATIENCE_S, "socket_timeout": PATIENCE_S},
    "amqp": {"read_timeout": PATIENCE_S, "write_timeout": PATIENCE_S},
}


def celery_app() -> Any:
    """The app that VIGIL_SCHEDULER["CELERY_APP"] names. Raises CeleryAppError."""
    name = conf.get().CELERY_APP
    if not name:
        raise CeleryAppError("VIGIL_SCHEDULER['CELERY_APP'] names no Celery app.")
    try:
        app = import_string(name)
    except Exception as error:  # a module may do anything when it is imported
        raise CeleryAppError(f"{name}: {type(error).__name__}: {error}") from error
    return app


class Line:
    """The connection to the broker: opened when it is needed, closed when anything is wrong with it."""

    def __init__(self, app: Any, task: str = TASK) -> None:
        self._app, self._task = app, task
        self._connection: Any = None
        self._producer: Any = None

    def top_up(self, queue: str, wanted: int) -> int:
        """See that at least `wanted` messages lie in `queue`; returns how many were sent.

        Raises BrokerError within seconds.
        """
        try:
            self._open()
            declared = self._app.amqp.queues[queue].queue_declare(channel=self._producer.channel)
            missing = max(wanted - int(declared.message_count), 0)
            for _ in range(missing):
                self._app.send_task(
                    self._task, queue=queue, producer=self._producer, retry=False, delivery_mode=1
                )
        except ValueError as error:  # of the URL, with pieces of its password
            self.close()
            text = "its URL cannot be used: percent-encode user and password"
            raise BrokerError(f"{type(error).__name__}: {text}") from None
        except Exception as error:  # each transport has its own exceptions; all mean the same here
            self.close()
            raise BrokerError(f"{type(error).__name__}: {error}") from error
        return missing

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):  # it is given up because it does not work
                self._connection.release()
        self._connection = self._producer = None

    def _open(self) -> None:
        if self._connection is None:
            kind = self._app.connection_for_write().transport.driver_type
            options = {**self._app.conf.broker_transport_options, **PATIENCE.get(kind, {})}
            self._connection = self._app.connection_for_write(
                connect_timeout=PATIENCE_S, transport_options=options
            )
            self._producer = self._app.amqp.Producer(self._connection.channel(), auto_declare=False)


class DoorbellExecutor(BaseExecutor):  # type: ignore[misc]
    """Executes nothing itself: it keeps as many messages in each queue as there are runs that wait for its workers.

    At most one for each slot of the living workers, as each makes a worker take run after run until none waits; so
    messages that are lost are sent again within a second, and a broker whose workers are busy is not flooded.
    """

    busy = 0
    threads_died = 0

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._line = Line(app)
        self._bell = threading.Event()
        self._closing = threading.Event()
        self._is_cut = False
        self._thread = threading.Thread(target=self._loop, name="vigil-doorbell", daemon=True)

    def start(self, scheduler: Any, alias: str) -> None:
        super().start(scheduler, alias)
        self._thread.start()

    def ring(self) -> None:
        """Runs were queued."""
        self._bell.set()

    def show_output(self) -> None:
        """The workers show theirs."""

    def heed_cancels(self) -> None:
        """The workers stop theirs."""

    def settle(self, deadline_s: float | None) -> bool:
        self._closing.set()
        self._bell.set()
        self._thread.join(timeout=PATIENCE_S)
        return True

    def _do_submit_job(self, job: Any, run_times: Any) -> None:
        raise NotImplementedError("Runs are taken from the database.")

    def _loop(self) -> None:
        connections.limit_statements()
        while not self._closing.is_set():
            self._bell.wait(LOOK_S)
            self._bell.clear()
            try:
                close_old_connections()
                self._look()
            except BrokerError as error:
                self._note_cut(error)
                self._closing.wait(AFTER_FAILURE_S)
            except Exception as error:  # noqa: BLE001 - the one thread that rings may not end
                away, failed = "doorbell_waits_for_database", "doorbell_failed"
                outages.note(logger, error, waits=away, failed=failed)
                self._closing.wait(AFTER_FAILURE_S)
        self._line.close()
        connection.close()

    def _look(self) -> None:
        for queue, slots in nodes.celery_slots(db_now()).items():
            if waiting := claims.count_waiting(queue, slots):
                self._line.top_up(queue, waiting)
                self._note_back()

    def _note_cut(self, error: BrokerError) -> None:
        if not self._is_cut:
            logger.warning("broker_unreachable", extra={"error": mask(str(error))})
        self._is_cut = True

    def _note_back(self) -> None:
        if self._is_cut:
            logger.info("broker_back")
        self._is_cut = False
