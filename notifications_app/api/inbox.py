"""The caller's own inbox."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from notifications_app import inbox
from notifications_app.states import NotificationKind
from scheduler_app.api.endpoint import Endpoint
from scheduler_app.api.inputs import Input, read
from scheduler_app.api.outputs import Masked, word
from scheduler_app.api.paging import GREATEST_ID, Page, PageQuery, page_of
from scheduler_app.api.schema import operation
from scheduler_app.states import Severity

MARKED_AT_ONCE = 1000


class InboxQuery(PageQuery):
    unread = serializers.BooleanField(required=False, help_text="Only what is (not) unread.")


class EntryShape(serializers.Serializer[Any]):
    notification_id = serializers.IntegerField(source="pk")
    alert_id = serializers.IntegerField()
    kind = word(NotificationKind)
    severity = word(Severity)
    title = Masked(source="occurrence.title")
    text = Masked(source="occurrence.body")
    link = Masked(source="occurrence.link")
    happened_at = serializers.DateTimeField(source="occurrence.happened_at")
    arrived_at = serializers.DateTimeField(source="finished_at")
    read_at = serializers.DateTimeField(allow_null=True)


class InboxPage(Page):
    unread_count = serializers.IntegerField(help_text="In the whole inbox.")
    results = EntryShape(many=True)


class ReadRequest(Input):
    """Either `ids` or `all`."""

    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=GREATEST_ID),
        required=False,
        max_length=MARKED_AT_ONCE,
    )
    all = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == bool(attrs.get("all")):
            raise ValidationError({"ids": [_("Give either ids or all.")]})
        return attrs


class MarkedShape(serializers.Serializer[Any]):
    marked = serializers.IntegerField(help_text="How many were unread until now.")
    unread_count = serializers.IntegerField()


class Inbox(Endpoint):
    query_shape = InboxQuery

    @operation("inbox", "inbox_list", query=InboxQuery, answer=InboxPage)
    def get(self, request: Request) -> Response:
        """What you were told in-app, the newest first."""
        entries = inbox.entries(request.user)
        if "unread" in self.query:
            entries = entries.filter(read_at__isnull=self.query["unread"])
        rows, following = page_of(request, entries, self.query)
        unread_count = inbox.unread_count(request.user)
        results = EntryShape(rows, many=True).data
        return Response({"next": following, "unread_count": unread_count, "results": results})


class MarkRead(Endpoint):
    @operation("inbox", "inbox_mark_read", body=ReadRequest, answer=MarkedShape)
    def post(self, request: Request) -> Response:
        """Mark entries of your inbox as read; ids that are not in it change nothing."""
        marked = inbox.mark_read(request.user, read(ReadRequest, request.data).get("ids"))
        return Response({"marked": marked, "unread_count": inbox.unread_count(request.user)})
