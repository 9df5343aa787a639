from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from notifications_app import outbox
from notifications_app.channels import registry
from notifications_app.models import AlertNotification, DeliveryAttempt
from scheduler_app.admin.base import HistoryAdmin, ReadOnlyInline, mark


class AttemptInline(ReadOnlyInline):
    model = DeliveryAttempt
    fields = (
        "number",
        "started_at",
        "outcome",
        "code",
        "error",
        "answer",
        "gateway_ms",
        "was_late",
    )


@admin.action(description=_("Send again (those given up)"), permissions=["operate"])
def requeue(model_admin: Any, request: HttpRequest, queryset: QuerySet[AlertNotification]) -> None:
    ids = list(queryset.values_list("pk", flat=True))
    count = outbox.requeue(ids, by=request.user.get_username())
    if count:
        text = ngettext("%d notification is due again.", "%d notifications are due again.", count)
        model_admin.message_user(request, text % count, messages.SUCCESS)
    if left := len(ids) - count:
        text = ngettext(
            "%d is left as it is: it was not given up.",
            "%d are left as they are: they were not given up.",
            left,
        )
        model_admin.message_user(request, text % left, messages.WARNING)


class ChannelFilter(admin.SimpleListFilter):
    """The names come from the registry: asking the rows for them would read them all."""

    title = _("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in registry.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(channel=self.value()) if self.value() else queryset


@admin.register(AlertNotification)
class AlertNotificationAdmin(HistoryAdmin):
    list_display = (
        "id",
        "state_mark",
        "reason",
        "channel",
        "recipient_name",
        "kind",
        "severity",
        "due_at",
        "tries",
        "alert",
    )
    list_filter = ("state", ChannelFilter, "severity", "kind", "reason")
    list_select_related = ("alert",)
    actions = (requeue,)
    inlines = (AttemptInline,)
    fieldsets = (
        (None, {"fields": ("state_mark", "reason", "error_message", "alert", "kind", "severity")}),
        (_("Whom and how"), {"fields": ("recipient", "recipient_name", "channel", "address")}),
        (_("When"), {"fields": ("created_at", "due_at", "expires_at", "finished_at", "read_at")}),
        (_("Delivery"), {"fields": ("tries", "lost_claims", "held_by", "worker", "lease_until")}),
        (None, {"fields": ("uuid",)}),
    )
    readonly_fields = ("state_mark", "uuid")

    @admin.display(description=_("state"))
    def state_mark(self, row: AlertNotification) -> SafeString:
        return mark(row.state, row.get_state_display())
