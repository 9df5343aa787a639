from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from scheduler_app import calendars
from scheduler_app.admin.base import Admin
from scheduler_app.errors import ScheduleError
from scheduler_app.models import CalendarDay

if TYPE_CHECKING:  # generic in the stubs alone
    DayModelForm = forms.ModelForm[CalendarDay]
else:
    DayModelForm = forms.ModelForm


class CalendarDayForm(DayModelForm):
    class Meta:
        model = CalendarDay
        fields = ("calendar", "day", "is_open", "name")
        help_texts: ClassVar = {
            "calendar": _(
                "A country (CN), a part of one (DE-BY), an exchange (XSHG) or a name of your own; all calendars of it "
                "take the day over."
            ),
            "is_open": _("Off: a day off. On: a working day, such as one that is made up for."),
        }

    def clean_calendar(self) -> str:
        try:
            return calendars.canonical_key(self.cleaned_data["calendar"])
        except ScheduleError as error:
            raise ValidationError(str(error)) from None


@admin.register(CalendarDay)
class CalendarDayAdmin(Admin):
    """Days that win over the published ones; in force for the next slot that is due."""

    form = CalendarDayForm
    list_display = ("calendar", "day", "weekday", "is_open", "name")
    list_display_links = ("calendar", "day")
    list_filter = ("calendar", "is_open")
    list_per_page = 100
    search_fields = ("calendar", "name")
    date_hierarchy = "day"
    ordering = ("calendar", "-day")

    @admin.display(description=_("weekday"))
    def weekday(self, one: CalendarDay) -> str:
        return date_format(one.day, "l")
