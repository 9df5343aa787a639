"""The form of a person's notification settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.conf.locale import LANG_INFO
from django.utils.translation import gettext_lazy as _

from notifications_app import conf
from notifications_app.models import NotificationSettings

if TYPE_CHECKING:
    Form = forms.ModelForm[NotificationSettings]
else:
    Form = forms.ModelForm

CLOCK = forms.TimeInput(format="%H:%M", attrs={"type": "time"})
CHANNELS = ("system", "email", "wechat", "sms")


class PreferencesForm(Form):
    class Meta:
        model = NotificationSettings
        fields: ClassVar = [
            *(f"{channel}_enabled" for channel in CHANNELS),
            *(f"{channel}_min_severity" for channel in CHANNELS),
            "email",
            "wechat_userid",
            "mobile",
            "quiet_start",
            "quiet_end",
            "critical_bypasses_quiet",
            "timezone",
            "language",
        ]
        widgets: ClassVar = {
            "quiet_start": CLOCK,
            "quiet_end": CLOCK,
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
            "mobile": forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel"}),
            "timezone": forms.TextInput(attrs={"list": "vg-zones", "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(code, LANG_INFO[code]["name_local"]) for code in conf.languages()]
        self.fields["language"] = forms.ChoiceField(
            label=_("Language of messages"),
            required=False,
            choices=[("", _("the site's language")), *names],
        )

    def clean_timezone(self) -> str:
        zone = str(self.cleaned_data["timezone"])
        if zone and zone not in available_timezones():
            raise forms.ValidationError(
                _("%(zone)s is no time zone: write a name like Asia/Shanghai."),
                params={"zone": zone},
            )
        return zone

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        begin, end = values.get("quiet_start"), values.get("quiet_end")
        if "quiet_start" in values and "quiet_end" in values and (begin is None) != (end is None):
            missing = "quiet_start" if begin is None else "quiet_end"
            self.add_error(missing, _("Quiet hours need a begin and an end."))
        if begin is not None and begin == end:
            self.add_error("quiet_end", _("Begin and end are the same."))
        return values
