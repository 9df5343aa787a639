from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from notifications_app import channel_states, lanes
from notifications_app.models import ChannelState
from scheduler_app.admin.base import ReadOnlyAdmin
from scheduler_app.clock import db_now

Channels = QuerySet[ChannelState]


@admin.action(description=_("Switch on"), permissions=["operate"])
def switch_on(model_admin: Any, request: HttpRequest, queryset: Channels) -> None:
    for state in queryset:
        channel_states.set_enabled(state.channel, True, by=request.user.get_username())
        _say(model_admin, request, state, _("%s is on."))


@admin.action(description=_("Switch off (messages end with an error)"), permissions=["operate"])
def switch_off(model_admin: Any, request: HttpRequest, queryset: Channels) -> None:
    for state in queryset:
        channel_states.set_enabled(state.channel, False, by=request.user.get_username())
        _say(model_admin, request, state, _("%s is off: messages end at once with an error."))


@admin.action(description=_("Hold (messages wait)"), permissions=["operate"])
def hold(model_admin: Any, request: HttpRequest, queryset: Channels) -> None:
    for state in queryset:
        channel_states.set_held(state.channel, True, by=request.user.get_username())
        _say(model_admin, request, state, _("%s is held: messages wait, nothing is lost."))


@admin.action(description=_("Release"), permissions=["operate"])
def release(model_admin: Any, request: HttpRequest, queryset: Channels) -> None:
    for state in queryset:
        channel_states.set_held(state.channel, False, by=request.user.get_username())
        _say(model_admin, request, state, _("%s is released: what waits goes out."))


@admin.action(
    description=_("Resume (end pauses: the gateway is well again)"), permissions=["operate"]
)
def resume(model_admin: Any, request: HttpRequest, queryset: Channels) -> None:
    for state in queryset:
        lanes.resume(state.channel, by=request.user.get_username())
        _say(model_admin, request, state, _("%s goes on: its pauses have ended."))


def _say(model_admin: Any, request: HttpRequest, state: ChannelState, text: Any) -> None:
    """Tell the person, and keep it in the history of the row."""
    said = text % state.channel
    model_admin.log_change(request, state, said)
    model_admin.message_user(request, said, messages.SUCCESS)


@admin.register(ChannelState)
class ChannelStateAdmin(ReadOnlyAdmin):
    """The two switches are actions; what the job file declares is changed there."""

    list_display = (
        "channel",
        "enabled",
        "held",
        "problem",
        "owner",
        "failures_in_a_row",
        "last_success_at",
        "last_failure_at",
    )
    actions = (switch_on, switch_off, hold, release, resume)
    fieldsets = (
        (None, {"fields": ("channel", "enabled", "held", "problem")}),
        (_("From the job file"), {"fields": ("owner", "rate_limit", "sla_failure_share")}),
        (None, {"fields": ("escalate_after", "fallback")}),
        (_("How it goes"), {"fields": ("pauses", "failures_in_a_row")}),
        (None, {"fields": ("last_success_at", "last_failure_at", "last_error")}),
    )
    readonly_fields = ("problem", "pauses")

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        channel_states.ensure()
        return super().changelist_view(request, *args, **kwargs)

    @admin.display(description=_("paused"))
    def pauses(self, state: ChannelState) -> str:
        """The longest pause of a lane and why, "" when all are open."""
        lane = lanes.pauses(db_now()).get(state.channel)
        return f"{lane.paused_until:%Y-%m-%d %H:%M:%S} UTC: {lane.why}" if lane else ""

    @admin.display(description=_("problem"))
    def problem(self, state: ChannelState) -> str:
        return channel_states.problem_of(state)
