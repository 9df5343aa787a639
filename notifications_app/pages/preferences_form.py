"""The form of a person's notification settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf.locale import LANG_INFO
from django.utils.translation import gettext_lazy as _

from notifications_app import conf, preferences
from notifications_app.models import NotificationSettings
from scheduler_app.secret_fields import HidesSecrets, SecretText

if TYPE_CHECKING:
    Form = forms.ModelForm[NotificationSettings]
else:
    Form = forms.ModelForm

CLOCK = forms.TimeInput(format="%H:%M", attrs={"type": "time"})
CHANNELS = ("system", "email", "wechat", "wechat_app", "sms", "webhook", "apprise")


class SecretUrlsForm(HidesSecrets, Form):
    """Shows scheme and host of URLs that are secrets; one that is sent back as it was shown stays as it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, show in preferences.SECRET_URLS.items():
            if name in self.fields:
                self.conceal(name, SecretText, getattr(self.instance, name), show)


class PreferencesForm(SecretUrlsForm):
    class Meta:
        model = NotificationSettings
        fields: ClassVar = [
            *(f"{channel}_enabled" for channel in CHANNELS),
            *(f"{channel}_min_severity" for channel in CHANNELS),
            "email",
            "wechat_userid",
            "mobile",
            "webhook_url",
            "apprise_url",
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
