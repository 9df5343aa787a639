from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.texts import typed

PARAMETER = "job"


class JobFilter(admin.ListFilter):
    """Runs of one job, which is looked up as one types: a list of thousands of jobs is no filter."""

    title = _("job")
    template = "admin/scheduler_app/jobrun/job_filter.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.job_id = typed(params.pop(PARAMETER, [""])[-1])
        if self.job_id:
            self.used_parameters[PARAMETER] = self.job_id
        self._admin_site = model_admin.admin_site

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [PARAMETER]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(job_id=self.job_id) if self.job_id else queryset

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """The other parameters of the page, which the form of this filter carries on."""
        for name, value in changelist.params.items():
            if name not in (PARAMETER, PAGE_VAR):
                yield {"name": name, "value": value}

    def widget(self) -> SafeString:
        select = AutocompleteSelect(JobRun._meta.get_field("job"), self._admin_site)
        field = forms.ModelChoiceField(ScheduledJob.objects.all(), widget=select, required=False)
        shown = field.widget.render(PARAMETER, self.job_id, {"id": "vg-job-filter"})
        return SafeString(shown)
