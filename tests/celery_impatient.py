"""The site's Celery app with a broker that delivers again what was not acknowledged within a second."""

from __future__ import annotations

from project.celery import app

app.conf.broker_transport_options = {"visibility_timeout": 1}
