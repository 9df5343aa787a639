"""Whether everything that should run is known to those that run it."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler_app import verify
from scheduler_app.api.endpoint import Endpoint
from scheduler_app.api.schema import operation
from scheduler_app.clock import db_now
from scheduler_app.errors import JobFileError
from scheduler_app.masking import mask
from scheduler_app.people import VIEW_JOBS


class Verification(Endpoint):
    to_read = VIEW_JOBS

    @operation("jobs", "jobs_verify", answer=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """What `manage.py verify_jobs` would find now; `faults` of a job file that cannot be used at all."""
        try:
            report = verify.verify(db_now())
        except JobFileError as error:
            return Response({"ok": False, "faults": [mask(str(fault)) for fault in error.faults]})
        return Response(report.as_dict())
