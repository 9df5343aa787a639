from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from scheduler_app import requests
from scheduler_app.admin.base import HistoryAdmin, block, breakable, mark
from scheduler_app.admin.job_filter import JobFilter
from scheduler_app.errors import SchedulerError
from scheduler_app.masking import shown
from scheduler_app.models import JobRun
from scheduler_app.states import RunState
from scheduler_app.templatetags.vigil import duration, in_zone, when
from scheduler_app.texts import cut_line


@admin.action(description=_("Stop"), permissions=["operate"])
def cancel(model_admin: Any, request: HttpRequest, queryset: QuerySet[JobRun]) -> None:
    by, done = request.user.get_username(), []
    for run_id in queryset.values_list("pk", flat=True):
        try:
            done.append(requests.cancel(run_id, by=by))
        except SchedulerError as error:
            model_admin.message_user(request, str(error), messages.ERROR)
    for run in done:
        model_admin.log_change(request, run, str(_("asked to stop")))
    if cancelled := sum(run.state == RunState.CANCELLED for run in done):
        text = ngettext("%d run is cancelled.", "%d runs are cancelled.", cancelled) % cancelled
        model_admin.message_user(request, text, messages.SUCCESS)
    if asked := len(done) - cancelled:
        text = ngettext(
            "%d run is asked to stop: a process is ended, a thread stops when it looks.",
            "%d runs are asked to stop: processes are ended, threads stop when they look.",
            asked,
        )
        model_admin.message_user(request, text % asked, messages.SUCCESS)


class RunList(ChangeList):
    """Leaves the wide columns of the listed rows in the database."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[JobRun]:
        found = super().get_queryset(*args, **kwargs)
        return found.defer("log", "result", "traceback", "params", "late_result")


@admin.register(JobRun)
class JobRunAdmin(HistoryAdmin):
    list_display = (
        "id",
        "job_name",
        "state_mark",
        "trigger",
        "slot_time",
        "start_time",
        "took",
        "error_line",
    )
    list_filter = (JobFilter, "state", "trigger")
    actions = (cancel,)
    fieldsets = (
        (
            None,
            {"fields": ("job", "state_mark", "reason", "trigger", "requested_by", "given")},
        ),
        (None, {"fields": ("cancel_at", "cancel_by")}),
        (_("When"), {"fields": ("slot", "slot_last", "slot_count", "queued_at", "ready_at")}),
        (None, {"fields": ("started_at", "finished_at", "took", "lag", "node", "attempt")}),
        (None, {"fields": ("cpu_s", "peak_memory_mb", "queries")}),
        (_("What came of it"), {"fields": ("progress", "progress_text", "result_block")}),
        (_("Error"), {"fields": ("error_block", "traceback_block", "late_result")}),
        (_("Output"), {"fields": ("log_block",)}),
    )
    readonly_fields = (
        "took",
        "state_mark",
        "given",
        "lag",
        "result_block",
        "error_block",
        "traceback_block",
        "log_block",
    )

    @property
    def media(self) -> forms.Media:
        widget = AutocompleteSelect(JobRun._meta.get_field("job"), self.admin_site)
        return super().media + widget.media

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RunList

    @admin.display(description=_("job"))
    def job_name(self, run: JobRun) -> SafeString:
        return breakable(run.job_id)

    @admin.display(description=_("slot"))
    def slot_time(self, run: JobRun) -> SafeString | None:
        return when(run.slot) if run.slot else None

    @admin.display(description=_("started"))
    def start_time(self, run: JobRun) -> SafeString | None:
        return when(run.started_at) if run.started_at else None

    @admin.display(description=_("duration"))
    def took(self, run: JobRun) -> SafeString:
        return format_html('<span class="nowrap">{}</span>', duration(run.duration_ms))

    @admin.display(description=_("state"))
    def state_mark(self, run: JobRun) -> SafeString:
        return mark(run.state, run.get_state_display())

    @admin.display(description=_("named arguments of this run"))
    def given(self, run: JobRun) -> str:
        return json.dumps(shown(run.params), ensure_ascii=False) if run.params else ""

    @admin.display(description=_("error"))
    def error_line(self, run: JobRun) -> str:
        return cut_line(run.error, 120)

    @admin.display(description=_("from slot to start"))
    def lag(self, run: JobRun) -> str:
        return "" if run.lag_ms is None else duration(run.lag_ms)

    @admin.display(description=_("result"))
    def result_block(self, run: JobRun) -> str:
        return block(run.result)

    @admin.display(description=_("error"))
    def error_block(self, run: JobRun) -> str:
        return block(run.error)

    @admin.display(description=_("traceback"))
    def traceback_block(self, run: JobRun) -> str:
        return block(run.traceback)

    @admin.display(description=_("output"))
    def log_block(self, run: JobRun) -> str:
        return block(in_zone(run.log))
