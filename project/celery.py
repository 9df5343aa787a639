"""The site's Celery app, for workers that execute jobs: `celery -A project worker -Q default,heavy`.

Used only with SCHEDULER_EXECUTOR=celery and NOTIFICATION_QUEUE=celery (`-Q notifications`); nothing else imports it.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from project.configuration.start import load_settings

load_settings()
if not settings.CELERY_BROKER_URL:
    raise ImproperlyConfigured("CELERY_BROKER_URL is not set, nor is REDIS_URL.")

# Celery reads it from the environment first, as it stands there
os.environ["CELERY_BROKER_URL"] = settings.CELERY_BROKER_URL
app = Celery(
    "vigil",
    broker=settings.CELERY_BROKER_URL,
    include=["scheduler_app.tasks", "notifications_app.tasks"],
)
app.conf.update(
    task_default_queue="default",
    task_ignore_result=True,
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    CELERY_DB_REUSE_MAX=10_000,  # the node looks after its connections by itself
)


def keep_logging(**_: Any) -> None:
    """Celery leaves logging alone when somebody answers this: the site's own (project/log.py) is in force."""


signals.setup_logging.connect(keep_logging)
