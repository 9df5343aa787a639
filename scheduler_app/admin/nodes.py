from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from scheduler_app.admin.base import ReadOnlyAdmin, mark
from scheduler_app.masking import mask
from scheduler_app.models import JobRun, Node
from scheduler_app.states import RunState


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
        "threads",
        "runs",
        "draining",
        "clock_offset_ms",
        "problem",
    )
    exclude = ("file_problem",)
    readonly_fields = ("runs", "problem")
    list_filter = ("kind", "state")
    search_fields = ("name",)
    ordering = ("-id",)
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        running = JobRun.objects.running().filter(node=OuterRef("pk")).order_by().values("node")
        count = running.annotate(count=Count("pk")).values("count")
        nodes: QuerySet[Node] = super().get_queryset(request)
        return nodes.annotate(running=Coalesce(Subquery(count), 0))

    @admin.display(description=_("runs now"))
    def runs(self, node: Node) -> SafeString | str:
        count = getattr(node, "running", 0)
        address = reverse("admin:scheduler_app_jobrun_changelist")
        query = urlencode({"node": node.pk, "state__exact": RunState.RUNNING})
        return format_html('<a href="{}?{}">{}</a>', address, query, count) if count else "–"

    @admin.display(description=_("threads at work"))
    def threads(self, node: Node) -> str:
        return f"{node.slots_busy} / {node.slots_total}"

    @admin.display(description=_("problem of the job file"))
    def problem(self, node: Node) -> str:
        return mask(node.file_problem)

    @admin.display(description=_("state"), ordering="state")
    def state_mark(self, node: Node) -> SafeString:
        return mark(node.state, node.get_state_display())
