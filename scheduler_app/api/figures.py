"""Figures, as JSON and for Prometheus: with the metrics token, or permission to view all jobs (figures name them)."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler_app import metrics
from scheduler_app.api.authentication import MetricsTokenAuthentication, ReadsFigures
from scheduler_app.api.endpoint import Endpoint
from scheduler_app.api.schema import operation
from scheduler_app.clock import db_now
from scheduler_app.exposition import CONTENT_TYPE
from scheduler_app.people import VIEW_JOBS


class FiguresEndpoint(Endpoint):
    to_read = VIEW_JOBS
    permission_classes = (ReadsFigures,)

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [MetricsTokenAuthentication(), *super().get_authenticators()]


class Metrics(FiguresEndpoint):
    @operation("metrics", "metrics_snapshot", answer=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """All figures of jobs, channels and queue at this moment; windows are 24 hours."""
        return Response(metrics.snapshot(db_now()))


class Exposition(FiguresEndpoint):
    @operation("metrics", "metrics_prometheus", answer=OpenApiTypes.STR, media_type="text/plain")
    def get(self, request: Request) -> HttpResponse:
        """The same figures in Prometheus's text format."""
        return HttpResponse(metrics.exposition(db_now()), content_type=CONTENT_TYPE)
