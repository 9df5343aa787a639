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
from scheduler_app.run_form import RunForm

Jobs = QuerySet[ScheduledJob]

SENT = "_run"
"""In what is posted: the arguments have been asked."""


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


@admin.action(description=_("Run now …"), permissions=["run"])
def run_now(model_admin: Any, request: HttpRequest, queryset: Jobs) -> TemplateResponse | None:
    """Queues the runs; a scheduler takes them, never the web process. Of one job its arguments are asked first."""
    jobs = list(queryset)
    if len(jobs) == 1:
        return _run_one(model_admin, request, jobs[0])
    _for_each(model_admin, request, queryset, lambda job: _queue(model_admin, request, job))
    return None


def _run_one(model_admin: Any, request: HttpRequest, job: ScheduledJob) -> TemplateResponse | None:
    form = RunForm(job, request.POST if SENT in request.POST else None)
    if form.fields and not form.is_valid():
        return _ask_arguments(model_admin, request, job, form)
    try:
        _queue(model_admin, request, job, form.params if form.is_bound else {})
    except SchedulerError as error:
        if form.is_bound:
            form.add_error(None, str(error))
            return _ask_arguments(model_admin, request, job, form)
        model_admin.message_user(request, f"{job.pk}: {error}", messages.ERROR)
    return None


def _queue(
    model_admin: Any, request: HttpRequest, job: ScheduledJob, params: dict[str, Any] | None = None
) -> None:
    run = requests.run_now(job.pk, params=params, requested_by=request.user.get_username())
    url = reverse(
        "admin:scheduler_app_jobrun_change",
        args=[run.pk],
        current_app=model_admin.admin_site.name,
    )
    text = format_html(str(_('{} is queued: <a href="{}">run {}</a>.')), job.pk, url, run.pk)
    model_admin.message_user(request, text, messages.SUCCESS)


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
    facts = {"title": _("Disable jobs"), "jobs": queryset, "form": form}
    return _ask(model_admin, request, "disable.html", facts)


def _ask_arguments(
    model_admin: Any, request: HttpRequest, job: ScheduledJob, form: RunForm
) -> TemplateResponse:
    title = _("Run %(job)s now") % {"job": job.pk}
    return _ask(model_admin, request, "run.html", {"title": title, "job": job, "form": form})


def _ask(
    model_admin: Any, request: HttpRequest, template: str, facts: dict[str, Any]
) -> TemplateResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "checkbox": ACTION_CHECKBOX_NAME,
        "media": model_admin.media,
        **facts,
    }
    return TemplateResponse(request, f"admin/scheduler_app/scheduledjob/{template}", context)
