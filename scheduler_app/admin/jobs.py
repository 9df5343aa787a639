from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget
from django.db import models
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from scheduler_app import conf, cron_words, epochs, mirror, upcoming
from scheduler_app.admin import job_actions, job_facts
from scheduler_app.admin.base import TypedSearch, breakable, mark
from scheduler_app.clock import db_now
from scheduler_app.drift import drift_of
from scheduler_app.errors import EditConflictError
from scheduler_app.forms import ScheduledJobForm
from scheduler_app.masking import mask
from scheduler_app.models import LastRun, ScheduledJob
from scheduler_app.people import RUN_JOBS, may
from scheduler_app.states import JobState
from scheduler_app.templatetags.vigil import when
from scheduler_app.texts import cut_line


@admin.register(ScheduledJob)
class ScheduledJobAdmin(TypedSearch):
    """Jobs come from the job file: here they are changed (by `mirror.edit` alone), never added or deleted."""

    form = ScheduledJobForm
    list_display = (
        "job",
        "state_mark",
        "is_on",
        "last_run_mark",
        "next_run",
        "schedule",
        "owner",
    )
    list_filter = ("state", "enabled", "owner", "category")
    list_select_related = ("timetable", "last_run")
    list_per_page = 50
    search_fields = ("id", "name", "owner", "description")
    actions = (job_actions.enable, job_actions.disable, job_actions.run_now, job_actions.reset)
    formfield_overrides = {
        models.JSONField: {"widget": AdminTextareaWidget(attrs={"rows": 2})},
        models.TextField: {"widget": AdminTextareaWidget(attrs={"rows": 3})},
    }
    readonly_fields = ("id", "module", "callable", "state_mark", "source")
    fieldsets = (
        (None, {"fields": ("id", "state_mark", "source", "module", "callable", "revision")}),
        (_("What it is"), {"fields": ("name", "owner", "category", "description", "tags")}),
        (_("When it runs"), {"fields": ("enabled", "cron", "timezone", "dst_gap", "dst_fold")}),
        (
            None,
            {
                "fields": (
                    "calendar",
                    "blackouts",
                    "jitter_s",
                    "on_missed",
                    "max_catch_up",
                    "grace_s",
                )
            },
        ),
        (
            _("How it runs"),
            {"fields": ("args", "kwargs", "params_schema", "queue", "overlap", "max_instances")},
        ),
        (None, {"fields": ("isolation", "timeout_s", "memory_mb", "expected_s")}),
        (
            _("When it fails"),
            {"fields": ("severity", "max_retries", "retry_backoff_s", "retry_on", "on_lost")},
        ),
        (_("History"), {"fields": ("keep_successes_days", "keep_failures_days")}),
        (_("This change"), {"fields": ("why",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Jobs of another scheduler are there to be looked at."""
        is_watched = obj is not None and obj.state == JobState.WATCHED
        return not is_watched and super().has_change_permission(request, obj)

    def has_run_permission(self, request: HttpRequest) -> bool:
        return may(request.user, RUN_JOBS)

    @admin.display(description=_("job id"), ordering="id")
    def job(self, job: ScheduledJob) -> SafeString:
        return breakable(job.pk)

    @admin.display(description=_("state"), ordering="state")
    def state_mark(self, job: ScheduledJob) -> SafeString:
        shown = mark(job.state, job.get_state_display())
        if job.state == JobState.BROKEN:
            shown = format_html("{}: {}", shown, cut_line(job.state_error, 200))
        changed = len(drift_of(job))
        return format_html("{}<br>≠ {}", shown, changed) if changed else shown

    @admin.display(description=pgettext_lazy("job", "on"), ordering="enabled", boolean=True)
    def is_on(self, job: ScheduledJob) -> bool:
        return job.enabled

    @admin.display(description=_("schedule"), ordering="cron")
    def schedule(self, job: ScheduledJob) -> SafeString:
        words = cron_words.describe(job.cron, get_language() or "en")
        zone = job.timezone or conf.site_time_zone()
        return format_html('<code class="nowrap">{}</code> {}<br>{}', job.cron, zone, words)

    @admin.display(description=_("next run"), ordering="timetable__next_run_time")
    def next_run(self, job: ScheduledJob) -> SafeString | None:
        row = getattr(job, "timetable", None)
        return when(row.next_run_time) if row and row.next_run_time else None

    @admin.display(description=_("last run"), ordering="last_run__finished_at")
    def last_run_mark(self, job: ScheduledJob) -> SafeString | None:
        last: LastRun | None = getattr(job, "last_run", None)
        if last is None:
            return None
        url = reverse(
            "admin:scheduler_app_jobrun_change", args=[last.run], current_app=self.admin_site.name
        )
        state = mark(last.state, last.get_state_display())
        return format_html('<a href="{}">{}</a><br>{}', url, state, when(last.finished_at))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (
            EditConflictError
        ):  # between our look and our write: the form sees it at a second look
            return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: ScheduledJob, form: Any, change: Any) -> None:
        """The one way to write a job. Raises EditConflictError."""
        if form.changes or obj.state == JobState.BROKEN:
            mirror.edit(
                obj.pk,
                form.changes,
                by=request.user.get_username(),
                why=form.cleaned_data["why"],
                revision=form.cleaned_data["revision"],
            )
        if not form.changes:
            self.message_user(request, _("You changed nothing."), messages.INFO)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        fields = ", ".join(form.changes) or "-"
        why = mask(form.cleaned_data["why"])
        return f"{fields}: {why}" if why else fields

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        form: ModelForm[ScheduledJob] = context["adminform"].form
        if isinstance(form, ScheduledJobForm):
            context.update(_facts(form))
        return super().render_change_form(request, context, *args, **kwargs)


def _facts(form: ScheduledJobForm) -> dict[str, Any]:
    """The form's instance already has the values that were typed: what is in force is read anew."""
    job = mirror.get(form.instance.pk)
    previewed = form.preview()
    return {
        "next_runs": job_facts.on_the_wall(upcoming.next_times(job, db_now()), job.timezone),
        "is_preview": form.is_preview and not form.errors,
        "preview": job_facts.on_the_wall(previewed, form.instance.timezone),
        "differences": job_facts.differences(job),
        "job": job,
        "problem": epochs.problem_of(job),
    }
