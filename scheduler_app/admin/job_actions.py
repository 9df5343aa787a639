"""What can be done to several jobs at once. Plain functions, so that a site's own admin can take them over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from scheduler_app import mirror, requests
from scheduler_app.errors import SchedulerError
from scheduler_app.models import ScheduledJob

Jobs = QuerySet[ScheduledJob]


class ReasonForm(forms.Form):
    why = forms.CharField(label=_("Why"), max_length=500, widget=AdminTextInputWidget)


@admin.action(description=_("Enable"), permissions=["change"])
def enable(model_admin: Any, request: HttpRequest, queryset: Jobs) -> None:
    by = request.user.get_username()
    done = _for_each(
        model_admin, request, queryset, lambda job: mirror.set_enabled(job.pk, True, by=by)
    )
    for job in done:
        model_admin.log_change(request, job, str(_("enabled")))
    text = ngettext("%d job is enabled.", "%d jobs are enabled.", len(done)) % len(done)
    _say(model_admin, request, done, text)


@admin.action(description=_("Disable …"), permissions=["change"])
def disable(model_admin: Any, request: HttpRequest, queryset: Jobs) -> TemplateResponse | None:
    """Asks for the reason on a page of its own first."""
    form = ReasonForm(request.POST if "why" in request.POST else None)
    if not form.is_valid():
        return _ask_why(model_admin, request, queryset, form)
    by, why = request.user.get_username(), form.cleaned_data["why"]
    done = _for_each(
        model_admin,
        request,
        queryset,
        lambda job: mirror.set_enabled(job.pk, False, by=by, why=why),
    )
    for job in done:
        model_admin.log_change(request, job, str(_("disabled: %s")) % why)
    text = ngettext("%d job is disabled.", "%d jobs are disabled.", len(done)) % len(done)
    _say(model_admin, request, done, text)
    return None


@admin.action(description=_("Run now"), permissions=["change"])
def run_now(model_admin: Any, request: HttpRequest, queryset: Jobs) -> None:
    """Queues the runs; a scheduler takes them, never the web process."""
    by = request.user.get_username()

    def queue(job: ScheduledJob) -> None:
        run = requests.run_now(job.pk, requested_by=by)
        url = reverse(
            "admin:scheduler_app_jobrun_change",
            args=[run.pk],
            current_app=model_admin.admin_site.name,
        )
        text = format_html(str(_('{} is queued: <a href="{}">run {}</a>.')), job.pk, url, run.pk)
        model_admin.message_user(request, text, messages.SUCCESS)

    _for_each(model_admin, request, queryset, queue)


@admin.action(description=_("Reset to the job file"), permissions=["change"])
def reset(model_admin: Any, request: HttpRequest, queryset: Jobs) -> None:
    by = request.user.get_username()
    done = _for_each(model_admin, request, queryset, lambda job: mirror.reset(job.pk, by=by))
    for job in done:
        model_admin.log_change(request, job, str(_("reset to the job file")))
    text = ngettext(
        "%d job is as the job file has it.", "%d jobs are as the job file has them.", len(done)
    )
    _say(model_admin, request, done, text % len(done))


def _for_each(
    model_admin: Any, request: HttpRequest, queryset: Jobs, verb: Callable[[ScheduledJob], object]
) -> list[ScheduledJob]:
    """The jobs for which `verb` went well; of each other one its error is shown."""
    done = []
    for job in queryset:
        try:
            verb(job)
        except SchedulerError as error:
            model_admin.message_user(request, f"{job.pk}: {error}", messages.ERROR)
        else:
            done.append(job)
    return done


def _say(model_admin: Any, request: HttpRequest, done: list[ScheduledJob], text: str) -> None:
    if done:
        model_admin.message_user(request, text, messages.SUCCESS)


def _ask_why(
    model_admin: Any, request: HttpRequest, queryset: Jobs, form: ReasonForm
) -> TemplateResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Disable jobs"),
        "opts": model_admin.opts,
        "jobs": queryset,
        "form": form,
        "checkbox": ACTION_CHECKBOX_NAME,
        "media": model_admin.media,
    }
    return TemplateResponse(request, "admin/scheduler_app/scheduledjob/disable.html", context)
