from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from scheduler_app.admin.base import ReadOnlyAdmin, mark
from scheduler_app.models import Node


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "name",
        "kind",
        "state_mark",
        "started_at",
        "heartbeat_at",
        "tick_at",
        "slots_busy",
        "slots_total",
        "clock_offset_ms",
        "file_problem",
    )
    list_filter = ("kind", "state")
    search_fields = ("name",)
    ordering = ("-id",)
    list_per_page = 50

    @admin.display(description=_("state"), ordering="state")
    def state_mark(self, node: Node) -> SafeString:
        return mark(node.state, node.get_state_display())
