"""Slots: what should have run, and what the ledger has of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from scheduler_app import audience, slots
from scheduler_app.api.endpoint import Endpoint
from scheduler_app.api.inputs import Typed
from scheduler_app.api.outputs import word
from scheduler_app.api.paging import Limit, Page
from scheduler_app.api.schema import operation
from scheduler_app.clock import db_now
from scheduler_app.states import Reason, RunState, SlotState
from scheduler_app.timetable import NEVER_AFTER
from scheduler_app.wall_clock import INSTANT

WINDOW = timedelta(hours=24)
STATES = [*RunState.choices, *SlotState.choices]


class SlotQuery(Limit):
    job = Typed(max_length=100)
    since = serializers.DateTimeField(required=False, help_text="24 hours ago by default.")
    until = serializers.DateTimeField(required=False, help_text="Slots before this time; now.")
    state = serializers.ChoiceField(STATES, required=False)
    after = serializers.DateTimeField(required=False, help_text="Only slots behind it.")


class SlotShape(serializers.Serializer[Any]):
    slot = serializers.DateTimeField(source="first")
    slot_last = serializers.DateTimeField(source="last", help_text="The end of a range of slots.")
    slot_count = serializers.IntegerField(source="count")
    state = serializers.CharField(
        help_text=f"One of {', '.join(value for value, _word in STATES)}; MISSING must never be."
    )
    reason = word(Reason)
    run_id = serializers.IntegerField(allow_null=True, help_text="The last try.")
    attempts = serializers.IntegerField(help_text="Tries that were started.")
    lag_ms = serializers.FloatField(allow_null=True, help_text="Of the first try.")
    is_expected = serializers.BooleanField(help_text="False: a row that stands for no slot.")


class SlotPage(Page):
    results = SlotShape(many=True)


class Slots(Endpoint):
    query_shape = SlotQuery

    @operation("slots", "slots_list", query=SlotQuery, answer=SlotPage)
    def get(self, request: Request) -> Response:
        """Every slot of a job that was due, in the order of time, with its row or the range that covers it.

        With `state` a page may hold less than its limit, even nothing: follow `next` until it is null.
        """
        since, until = _window(self.query)
        job = audience.job(request.user, self.query["job"])
        lines = slots.read(job.pk, since, until)
        states = [self.query["state"]] if "state" in self.query else ()
        part = slots.portion(lines, self.query["limit"], states)
        return Response(
            {"next": _next(request, part), "results": SlotShape(part.lines, many=True).data}
        )


def _window(query: dict[str, Any]) -> tuple[datetime, datetime]:
    now = db_now()
    since = query.get("since", now - WINDOW)
    if "after" in query:
        since = max(since, min(query["after"], NEVER_AFTER) + INSTANT)
    return since, query.get("until", now + INSTANT)


def _next(request: Request, part: slots.Portion) -> str | None:
    if part.following is None:
        return None
    at = f"{part.following:%Y-%m-%dT%H:%M:%S.%fZ}"
    return replace_query_param(request.build_absolute_uri(), "after", at)
