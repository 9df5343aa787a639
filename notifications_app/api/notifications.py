"""Notifications: what was told to whom, and each attempt at it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from notifications_app import dead_letters, outbox
from notifications_app.audience import REQUEUE, visible_to
from notifications_app.channels import registry
from notifications_app.dead_letters import DeadFilter
from notifications_app.models import AlertNotification
from notifications_app.states import AttemptOutcome, NotificationKind, NotificationState, Reason
from notifications_app.trace import RELATED, StepKind, trace
from scheduler_app.api.endpoint import Endpoint, caller
from scheduler_app.api.errors import ConflictError
from scheduler_app.api.inputs import Input, read
from scheduler_app.api.outputs import Masked, word
from scheduler_app.api.paging import GREATEST_ID, Page, PageQuery, page_of
from scheduler_app.api.schema import operation
from scheduler_app.clock import db_now
from scheduler_app.states import Severity

ATTEMPTS = 100


class NotificationQuery(PageQuery):
    state = serializers.ChoiceField(NotificationState.choices, required=False)
    channel = serializers.ChoiceField(registry.names(), required=False)
    reason = serializers.ChoiceField([one for one in Reason.choices if one[0]], required=False)
    alert = serializers.IntegerField(required=False, min_value=1, max_value=GREATEST_ID)


class NotificationShape(serializers.Serializer[Any]):
    notification_id = serializers.IntegerField(source="pk")
    uuid = serializers.UUIDField()
    alert_id = serializers.IntegerField()
    title = Masked(source="alert.title")
    kind = word(NotificationKind)
    recipient = serializers.CharField(source="recipient_name")
    channel = serializers.CharField()
    severity = word(Severity)
    state = word(NotificationState)
    reason = word(Reason)
    error_message = Masked()
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    held_by = serializers.IntegerField(source="held_by_id", allow_null=True)
    tries = serializers.IntegerField()
    address = Masked()
    read_at = serializers.DateTimeField(allow_null=True)


class AttemptShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    channel = serializers.CharField()
    started_at = serializers.DateTimeField()
    gateway_ms = serializers.FloatField()
    outcome = word(AttemptOutcome)
    code = serializers.CharField()
    error = Masked()
    answer = Masked()
    was_late = serializers.BooleanField()


class NotificationDetailShape(NotificationShape):
    attempts = serializers.SerializerMethodField()

    @extend_schema_field(AttemptShape(many=True))
    def get_attempts(self, notification: AlertNotification) -> Any:
        latest = notification.attempts.order_by("-pk")[:ATTEMPTS]
        return AttemptShape(latest, many=True).data


class StepShape(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    kind = word(StepKind)
    text = serializers.CharField(help_text="In the language of the request.")
    facts = serializers.DictField()


class TraceShape(serializers.Serializer[Any]):
    notification_id = serializers.IntegerField(source="row.pk")
    state = word(NotificationState, source="row.state")
    reason = word(Reason, source="row.reason")
    steps = StepShape(many=True)
    next_at = serializers.DateTimeField(
        allow_null=True, help_text="When it may go out, as far as that is known."
    )
    next = serializers.ListField(
        child=serializers.CharField(), help_text="What happens next, and why not sooner."
    )


class RequeueInput(Input):
    """Which of those that are DEAD: all that is said has to hold. `all` is for saying nothing else."""

    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=GREATEST_ID),
        required=False,
        allow_empty=False,
        max_length=10_000,
    )
    channel = serializers.ChoiceField(registry.names(), required=False)
    reason = serializers.ChoiceField([one for one in Reason.choices if one[0]], required=False)
    since = serializers.DateTimeField(required=False, help_text="Given up since then.")
    person = serializers.CharField(
        required=False, max_length=150, help_text="User name or address."
    )
    alert = serializers.IntegerField(required=False, min_value=1, max_value=GREATEST_ID)
    all = serializers.BooleanField(default=False)
    dry_run = serializers.BooleanField(default=False, help_text="Count, change nothing.")

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if not values["all"] and not values.keys() - {"all", "dry_run"}:
            raise serializers.ValidationError(_("Say which: a filter, ids, or all."))
        return values


class CountShape(serializers.Serializer[Any]):
    channel = serializers.CharField()
    reason = word(Reason)
    count = serializers.IntegerField()


class RequeueShape(serializers.Serializer[Any]):
    """What was chosen, and what becomes of it now as things stand; by reason what does not go out."""

    total = serializers.IntegerField()
    chosen = CountShape(many=True)
    sent = serializers.IntegerField(help_text="Would go out now.")
    sent_resolved = serializers.IntegerField(help_text="Of them: what they tell of is over.")
    suppressed = serializers.DictField(child=serializers.IntegerField())
    given_up_again = serializers.DictField(child=serializers.IntegerField())
    waiting = serializers.DictField(child=serializers.IntegerField())
    requeued = serializers.IntegerField()


class NotificationPage(Page):
    results = NotificationShape(many=True)


class Notifications(Endpoint):
    query_shape = NotificationQuery

    @operation(
        "notifications", "notifications_list", query=NotificationQuery, answer=NotificationPage
    )
    def get(self, request: Request) -> Response:
        """What you were told (with permission to view notifications: all of them), the newest first."""
        names = ("state", "channel", "reason", "alert")
        chosen = {name: self.query[name] for name in names if name in self.query}
        rows, following = page_of(request, _visible(request).filter(**chosen), self.query)
        return Response({"next": following, "results": NotificationShape(rows, many=True).data})


class Notification(Endpoint):
    @operation("notifications", "notifications_retrieve", answer=NotificationDetailShape)
    def get(self, request: Request, notification_id: str) -> Response:
        """One notification with its latest 100 attempts."""
        return Response(NotificationDetailShape(_notification(request, notification_id)).data)


class NotificationTrace(Endpoint):
    @operation("notifications", "notifications_trace", answer=TraceShape)
    def get(self, request: Request, notification_id: str) -> Response:
        """One notification from its alert to the gateway's answer, and what happens next."""
        rows = visible_to(request.user).select_related(*RELATED)
        row = get_object_or_404(rows, pk=int(notification_id))
        return Response(TraceShape(trace(row, db_now())).data)


class RequeueMany(Endpoint):
    to_write = REQUEUE

    @operation(
        "notifications", "notifications_requeue_many", body=RequeueInput, answer=RequeueShape
    )
    def post(self, request: Request) -> Response:
        """Give all DEAD notifications that are meant another life; with `dry_run` only say how many.

        About 10,000 at a time: while `requeued` is less than `total` call it again.
        """
        values = read(RequeueInput, request.data)
        is_dry, _is_all = values.pop("dry_run"), values.pop("all")
        rows = dead_letters.dead(DeadFilter(**values))
        facts = dead_letters.preview(rows, db_now()).facts()
        done = 0 if is_dry else dead_letters.requeue_some(rows, by=caller(request))
        return Response(RequeueShape({**facts, "requeued": done}).data)


class Requeue(Endpoint):
    to_write = REQUEUE

    @operation("notifications", "notifications_requeue", body=Input, answer=NotificationDetailShape)
    def post(self, request: Request, notification_id: str) -> Response:
        """Give a DEAD notification another life with all its tries; 409 in any other state."""
        read(Input, request.data)
        row = _notification(request, notification_id)
        if not outbox.requeue([row.pk], by=caller(request)):
            raise ConflictError(
                _("It is %(state)s: only one that is DEAD can be sent again.")
                % {"state": row.state}
            )
        return Response(NotificationDetailShape(_notification(request, notification_id)).data)


def _visible(request: Request) -> QuerySet[AlertNotification]:
    return visible_to(request.user).select_related("alert")


def _notification(request: Request, notification_id: str) -> AlertNotification:
    return get_object_or_404(_visible(request), pk=int(notification_id))
