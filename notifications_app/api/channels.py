"""The channels: how they do, and their switches."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from notifications_app import channel_states, lanes, selectors, test_messages
from notifications_app.api.notifications import NotificationDetailShape
from notifications_app.audience import CHANGE_CHANNELS, VIEW_CHANNELS
from notifications_app.channels import registry
from notifications_app.selectors import ChannelLine
from scheduler_app.api.endpoint import Endpoint, caller
from scheduler_app.api.inputs import Input, read
from scheduler_app.api.outputs import Masked
from scheduler_app.api.schema import operation
from scheduler_app.clock import db_now
from scheduler_app.people import may


class ChannelShape(serializers.Serializer[Any]):
    """Counts are attempts since the first one. `is_paused`: held, or asked by its gateway to wait."""

    channel = serializers.CharField(source="state.channel")
    enabled = serializers.BooleanField(source="state.enabled")
    held = serializers.BooleanField(source="state.held")
    is_paused = serializers.BooleanField()
    paused_until = serializers.DateTimeField(source="pause.paused_until", default=None)
    pause_reason = Masked(source="pause.why", default="")
    problem = Masked(help_text="Why nothing can be sent, and what to set; empty when it is up.")
    owner = serializers.CharField(source="state.owner")
    fallback = serializers.CharField(source="state.fallback")
    success_count = serializers.IntegerField()
    failure_count = serializers.IntegerField()
    unusable_count = serializers.IntegerField(
        help_text="Ended because the channel was off or not configured; in no rate."
    )
    success_rate_24h = serializers.FloatField(allow_null=True, help_text="From 0 to 1.")
    gateway_p50_ms = serializers.SerializerMethodField()
    gateway_p95_ms = serializers.SerializerMethodField()
    pending = serializers.IntegerField(help_text="Due now.")
    failures_in_a_row = serializers.IntegerField(source="state.failures_in_a_row")
    last_success_at = serializers.DateTimeField(source="state.last_success_at", allow_null=True)
    last_failure_at = serializers.DateTimeField(source="state.last_failure_at", allow_null=True)
    last_error = Masked(source="state.last_error")

    def get_gateway_p50_ms(self, line: ChannelLine) -> float | None:
        return line.gateway_ms(0.50)

    def get_gateway_p95_ms(self, line: ChannelLine) -> float | None:
        return line.gateway_ms(0.95)


class QueueShape(serializers.Serializer[Any]):
    mode = serializers.CharField(help_text="What rings for the workers: redis or database.")
    length = serializers.IntegerField(allow_null=True, help_text="Of the Redis list.")
    backlog = serializers.IntegerField(help_text="Due rows in the database.")
    oldest_due_s = serializers.FloatField()
    workers = serializers.IntegerField(help_text="Alive.")


class ChannelsShape(serializers.Serializer[Any]):
    queue = QueueShape()
    results = ChannelShape(many=True)


class Channels(Endpoint):
    @operation("channels", "channels_list", answer=ChannelsShape)
    def get(self, request: Request) -> Response:
        """All channels in a fixed order, and the queue that feeds them."""
        now = db_now()
        results = [_shape(request, line) for line in selectors.channel_lines(now)]
        return Response({"queue": selectors.queue_facts(now), "results": results})


class Enable(Endpoint):
    to_write = CHANGE_CHANNELS

    @operation("channels", "channels_enable", body=Input, answer=ChannelShape)
    def post(self, request: Request, channel: str) -> Response:
        """Switch the channel on."""
        channel_states.set_enabled(_chosen(request, channel), True, by=caller(request))
        return _answer(request, channel)


class Disable(Endpoint):
    to_write = CHANGE_CHANNELS

    @operation("channels", "channels_disable", body=Input, answer=ChannelShape)
    def post(self, request: Request, channel: str) -> Response:
        """Switch the channel off: what is due ends at once with an error, people get it in-app."""
        channel_states.set_enabled(_chosen(request, channel), False, by=caller(request))
        return _answer(request, channel)


class Hold(Endpoint):
    to_write = CHANGE_CHANNELS

    @operation("channels", "channels_hold", body=Input, answer=ChannelShape)
    def post(self, request: Request, channel: str) -> Response:
        """The kill switch: what is due waits, nothing is lost."""
        channel_states.set_held(_chosen(request, channel), True, by=caller(request))
        return _answer(request, channel)


class Release(Endpoint):
    to_write = CHANGE_CHANNELS

    @operation("channels", "channels_release", body=Input, answer=ChannelShape)
    def post(self, request: Request, channel: str) -> Response:
        """Let what waits go out."""
        channel_states.set_held(_chosen(request, channel), False, by=caller(request))
        return _answer(request, channel)


class Resume(Endpoint):
    to_write = CHANGE_CHANNELS

    @operation("channels", "channels_resume", body=Input, answer=ChannelShape)
    def post(self, request: Request, channel: str) -> Response:
        """The gateway is well again: end its pauses, and forget what the breaker has counted."""
        lanes.resume(_chosen(request, channel), by=caller(request))
        return _answer(request, channel)


class Test(Endpoint):
    @operation("channels", "channels_test", body=Input, answer=NotificationDetailShape, status=202)
    def post(self, request: Request, channel: str) -> Response:
        """Queue a test message to yourself; `Location` is where to see what became of it."""
        name = _chosen(request, channel)
        row = test_messages.send_test(name, request.user, by=caller(request), is_limited=True)
        where = reverse("vigil_notifications_api:notification", args=[row.pk], request=request)
        shape = NotificationDetailShape(row)
        return Response(shape.data, status=202, headers={"Location": where})


def _chosen(request: Request, channel: str) -> str:
    """The channel that the address names; the body of such a request is empty."""
    read(Input, request.data)
    if channel not in registry.names():
        raise Http404
    channel_states.ensure()
    return channel


def _answer(request: Request, channel: str) -> Response:
    lines = selectors.channel_lines(db_now())
    line = next(line for line in lines if line.state.channel == channel)
    return Response(_shape(request, line))


def _shape(request: Request, line: ChannelLine) -> dict[str, Any]:
    """A gateway's error may quote the address of another person: it is shown with permission alone."""
    shape = ChannelShape(line).data
    return shape if may(request.user, VIEW_CHANNELS) else {**shape, "last_error": ""}
