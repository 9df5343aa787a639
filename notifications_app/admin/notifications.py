from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from notifications_app import dead_letters, outbox
from notifications_app.channels import registry
from notifications_app.models import AlertNotification, DeliveryAttempt
from notifications_app.states import NotificationState, Reason
from scheduler_app.admin.base import HistoryAdmin, ReadOnlyInline, mark
from scheduler_app.clock import db_now


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
def requeue(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[AlertNotification]
) -> TemplateResponse | None:
    """What was ticked, at once; all that the filters of the list leave, after a page that says what that means."""
    if request.POST.get("select_across") == "1":
        return _requeue_all(model_admin, request, queryset)
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
    return None


def _requeue_all(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[AlertNotification]
) -> TemplateResponse | None:
    rows = AlertNotification.objects.filter(pk__in=queryset.order_by().values("pk"))
    dead = rows.filter(state=NotificationState.DEAD)
    if CONFIRMED in request.POST:
        count = dead_letters.requeue_some(dead, by=request.user.get_username())
        text = ngettext("%d notification is due again.", "%d notifications are due again.", count)
        model_admin.message_user(request, text % count, messages.SUCCESS)
        if dead.exists():
            more = _("More are left: do it again, or use manage.py notifications requeue.")
            model_admin.message_user(request, more, messages.WARNING)
        return None
    preview = dead_letters.preview(dead, db_now())
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "title": _("Send again"),
        "preview": preview,
        "counts": [(c, Reason(r).label, n) for (c, r), n in sorted(preview.counts.items())],
        "fates": [
            (NotificationState(state).label, Reason(reason).label, count)
            for (state, reason), count in preview.fates.most_common()
            if state != NotificationState.SENT
        ],
        "confirmed": CONFIRMED,
        "checkbox": ACTION_CHECKBOX_NAME,
        "ticked": request.POST.getlist(ACTION_CHECKBOX_NAME),
    }
    return TemplateResponse(
        request, "admin/notifications_app/alertnotification/requeue.html", context
    )


CONFIRMED = "_confirmed"
"""In what is posted: the page was read."""


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
        (
            _("Delivery"),
            {"fields": ("tries", "lost_claims", "held_by", "carried_by", "worker", "lease_until")},
        ),
        (None, {"fields": ("uuid",)}),
    )
    readonly_fields = ("state_mark", "uuid")

    @admin.display(description=_("state"))
    def state_mark(self, row: AlertNotification) -> SafeString:
        return mark(row.state, row.get_state_display())
