"""The Django admin of alerts: read, acknowledge, resolve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from alerts_app import lifecycle
from alerts_app.errors import AlertError
from alerts_app.models import AlertOccurrence, AlertRecord
from scheduler_app.admin.base import HistoryAdmin, ReadOnlyInline, block, mark

Alerts = QuerySet[AlertRecord]


class OccurrenceInline(ReadOnlyInline):
    model = AlertOccurrence
    fields = ("kind", "happened_at", "body", "run", "notifies", "fan_out_due")


@admin.action(description=_("Acknowledge"), permissions=["operate"])
def acknowledge(model_admin: Any, request: HttpRequest, queryset: Alerts) -> None:
    count = _for_each(model_admin, request, queryset, lifecycle.acknowledge)
    if count:
        text = ngettext("%d alert is acknowledged.", "%d alerts are acknowledged.", count) % count
        model_admin.message_user(request, text, messages.SUCCESS)


@admin.action(description=_("Resolve"), permissions=["operate"])
def resolve(model_admin: Any, request: HttpRequest, queryset: Alerts) -> None:
    count = _for_each(model_admin, request, queryset, lifecycle.resolve)
    if count:
        text = ngettext("%d alert is resolved.", "%d alerts are resolved.", count) % count
        model_admin.message_user(request, text, messages.SUCCESS)


def _for_each(
    model_admin: Any, request: HttpRequest, queryset: Alerts, verb: Callable[..., AlertRecord]
) -> int:
    """How often `verb` went well; of each other alert its error is shown."""
    by, count = request.user.get_username(), 0
    for alert in queryset:
        try:
            verb(alert.pk, by=by)
        except AlertError as error:
            model_admin.message_user(request, str(error), messages.ERROR)
        else:
            count += 1
    return count


@admin.register(AlertRecord)
class AlertRecordAdmin(HistoryAdmin):
    list_display = (
        "title",
        "severity",
        "state_mark",
        "owner",
        "category",
        "occurrence_count",
        "first_seen_at",
        "last_seen_at",
    )
    list_filter = ("state", "severity", "source")
    search_fields = ("title", "owner", "category", "fingerprint")
    actions = (acknowledge, resolve)
    inlines = (OccurrenceInline,)
    fieldsets = (
        (None, {"fields": ("title", "state_mark", "severity", "owner", "category", "source")}),
        (_("What happened"), {"fields": ("body_block", "labels", "link", "fingerprint")}),
        (_("When"), {"fields": ("occurrence_count", "first_seen_at", "last_seen_at")}),
        (None, {"fields": ("notified_at", "acknowledged_at", "acknowledged_by")}),
        (None, {"fields": ("resolved_at", "resolved_by")}),
    )
    readonly_fields = ("state_mark", "body_block")

    @admin.display(description=_("state"))
    def state_mark(self, alert: AlertRecord) -> SafeString:
        return mark(alert.state, alert.get_state_display())

    @admin.display(description=_("text"))
    def body_block(self, alert: AlertRecord) -> str:
        return block(alert.body)
