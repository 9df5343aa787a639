"""`/metrics`: the figures of the web processes (django-prometheus) and ours on one page."""

from __future__ import annotations

from django.http import HttpResponse
from django_prometheus.exports import ExportToDjangoView
from rest_framework.request import Request

from scheduler_app import metrics
from scheduler_app.api.figures import FiguresEndpoint
from scheduler_app.clock import db_now
from scheduler_app.exposition import CONTENT_TYPE


class ProjectMetrics(FiguresEndpoint):
    """For the metrics token, and people who may view all jobs."""

    def get(self, request: Request) -> HttpResponse:
        # knows by itself whether several processes share their figures (PROMETHEUS_MULTIPROC_DIR)
        theirs: bytes = ExportToDjangoView(request).content
        ours = metrics.exposition(db_now()).encode()
        return HttpResponse(theirs + ours, content_type=CONTENT_TYPE)


project_metrics = ProjectMetrics.as_view(schema=None)
