"""The form by which a person changes a job. It validates; `mirror.edit` is what saves."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from scheduler_app import declarations, epochs, mirror, parameters, upcoming
from scheduler_app.clock import db_now
from scheduler_app.errors import CallableError, ForbiddenCallableError, ParameterError
from scheduler_app.masking import mask, shown
from scheduler_app.models import ScheduledJob
from scheduler_app.secret_fields import HidesSecrets, SecretJSON, SecretText
from scheduler_app.texts import cut_line

PREVIEW = "_preview"
EMPTY: dict[str, Any] = {
    "args": [],
    "kwargs": {},
    "tags": [],
    "blackouts": [],
    "retry_on": [],
    "params_schema": {},
}

JSON_WITH_SECRETS = ("args", "kwargs", "params_schema")

if TYPE_CHECKING:  # generic in the stubs alone
    JobModelForm = forms.ModelForm[ScheduledJob]
else:
    JobModelForm = forms.ModelForm


class ScheduledJobForm(HidesSecrets, JobModelForm):
    """Every field of a job that may be changed outside the file, by the file's own rules.

    `changes` has what differs from the values in force. A form that was sent to look ahead (`_preview`) is never valid,
    so that nobody saves it; `preview()` then tells when the job would run.
    """

    why = forms.CharField(
        label=_("Why"),
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        required=False,
        help_text=_("Shown beside what differs from the job file."),
    )
    revision = forms.IntegerField(widget=forms.HiddenInput)

    class Meta:
        model = ScheduledJob
        fields = mirror.EDITABLE
        help_texts: ClassVar = {
            "calendar": _("A rule and a place, like “workdays:CN” or “not-holidays:DE-BY”."),
            "blackouts": _("A list, like [“Sat,Sun”, “22:00-06:00”]: no slot in these runs."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.in_force = {name: getattr(self.instance, name) for name in mirror.EDITABLE}
        for name in set(JSON_WITH_SECRETS) & set(self.fields):
            self.conceal(name, SecretJSON, self.in_force[name])
        if "description" in self.fields:
            self.conceal("description", SecretText, self.in_force["description"], mask)
        self.revision_in_force = self.instance.revision

    @property
    def changes(self) -> dict[str, Any]:
        return {
            name: self.cleaned_data[name]
            for name, value in self.in_force.items()
            if name in self.cleaned_data and self.cleaned_data[name] != value
        }

    @property
    def is_preview(self) -> bool:
        return self.is_bound and PREVIEW in self.data

    def is_valid(self) -> bool:
        return super().is_valid() and not self.is_preview

    def preview(self) -> list[datetime]:
        """The next runs by the values of this form; empty unless it is a preview without errors, of an enabled job."""
        if not self.is_preview or self.errors or not self.cleaned_data["enabled"]:
            return []
        now = db_now()
        return upcoming.times_of(epochs.definition_of(self.instance), now, now)

    def clean(self) -> dict[str, Any]:
        super().clean()
        self._clean_values()
        for name, fault in declarations.isolation_faults(self.cleaned_data):
            self.add_error(name, ValidationError([str(fault), fault.hint]))
        self._check_parameters()
        if self.changes.get("enabled") is False and not self.cleaned_data.get("why"):
            self.add_error("why", _("Say why the job is disabled."))
        self._check_revision()
        return self.cleaned_data

    def _clean_values(self) -> None:
        for name in mirror.EDITABLE:
            if name not in self.cleaned_data:
                continue
            value = self.cleaned_data[name]
            try:
                value = declarations.clean(name, EMPTY.get(name) if value is None else value)
            except declarations.FieldError as error:
                self.add_error(name, ValidationError([str(error), error.hint]))
            else:
                self.cleaned_data[name] = value

    def _check_parameters(self) -> None:
        """Only where they were changed: who corrects an owner cannot be asked to mend the callable."""
        names = ("args", "kwargs", "params_schema")
        changed = [name for name in names if name in self.changes]
        if not changed or not set(names) <= set(self.cleaned_data):
            return
        wanted = (self.cleaned_data[name] for name in names)
        try:
            parameters.check(self.instance.module, self.instance.callable, *wanted)
        except (CallableError, ForbiddenCallableError, ParameterError) as error:
            self.add_error(changed[0], cut_line(str(error), 500))

    def _check_revision(self) -> None:
        """Tells the second of two people what the first one did; what was typed stays in the form."""
        if self.cleaned_data.get("revision") in (None, self.revision_in_force):
            return
        values = "; ".join(
            f"{self.fields[name].label}: {cut_line(str(shown(self.in_force[name], name)), 80)}"
            for name in self.changes
        )
        text = _(
            "Somebody else saved this job in the meantime; nothing of yours is saved yet. Where your values differ, "
            "these are in force now: %(values)s. Save once more to put yours in their place."
        )
        self.add_error(None, ValidationError(text, params={"values": values or "-"}))
        sent: Any = self.data
        data = sent.copy()
        data["revision"] = str(self.revision_in_force)
        self.data = data
