"""What each person wants to be told, how and when."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app import conf
from notifications_app.channels.apprise import service
from notifications_app.channels.configuration import is_url
from notifications_app.channels.email.addresses import for_smtp
from scheduler_app import zones
from scheduler_app.states import Severity

MOBILE = RegexValidator(
    r"^\+?[0-9][0-9 -]{4,20}$", _("A telephone number: digits, with a country code if abroad.")
)
WECHAT_USERID = RegexValidator(
    r"^[A-Za-z0-9][\w.@-]{0,63}$", _("The member's account in WeChat Work.")
)


class NotificationSettings(models.Model):
    """One row a person. Without a row the defaults below hold."""

    user = models.OneToOneField(
        conf.auth_user_model(),
        verbose_name=_("person"),
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="vigil_notification_settings",
    )
    system_enabled = models.BooleanField(_("in-app"), default=True)
    email_enabled = models.BooleanField(_("e-mail"), default=True)
    wechat_enabled = models.BooleanField(_("WeChat Work"), default=True)
    wechat_app_enabled = models.BooleanField(
        _("WeChat Work application"),
        default=False,
        help_text=_("In a chat of your own, beside or instead of the group."),
    )
    sms_enabled = models.BooleanField(_("SMS"), default=False)
    webhook_enabled = models.BooleanField(_("webhook"), default=False)
    apprise_enabled = models.BooleanField(_("Apprise"), default=False)
    email = models.EmailField(
        _("e-mail address"), blank=True, help_text=_("Empty: the address of the account.")
    )
    email_pending = models.EmailField(
        _("e-mail address that is not confirmed"), blank=True, editable=False
    )
    wechat_userid = models.CharField(
        _("WeChat Work user id"), max_length=64, blank=True, validators=[WECHAT_USERID]
    )
    mobile = models.CharField(_("mobile"), max_length=24, blank=True, validators=[MOBILE])
    webhook_url = models.CharField(
        _("webhook URL"),
        max_length=500,
        blank=True,
        help_text=_("Empty: the webhook of the site, if it has one."),
    )
    apprise_url = models.CharField(
        _("Apprise URL"),
        max_length=1000,
        blank=True,
        help_text=_("Such as dingtalk://… or feishu://…. Empty: that of the site, if it has one."),
    )
    quiet_start = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_end = models.TimeField(_("quiet until"), null=True, blank=True)
    timezone = models.CharField(
        _("time zone"), max_length=64, blank=True, help_text=_("Empty: the site's zone.")
    )
    language = models.CharField(
        _("language"), max_length=16, blank=True, help_text=_("Empty: the site's language.")
    )
    critical_bypasses_quiet = models.BooleanField(
        _("critical alerts may break the silence"), default=False
    )
    system_min_severity = models.CharField(
        _("in-app from"), max_length=16, choices=Severity.choices, default=Severity.INFO
    )
    email_min_severity = models.CharField(
        _("e-mail from"), max_length=16, choices=Severity.choices, default=Severity.INFO
    )
    wechat_min_severity = models.CharField(
        _("WeChat Work from"), max_length=16, choices=Severity.choices, default=Severity.INFO
    )
    wechat_app_min_severity = models.CharField(
        _("WeChat Work application from"),
        max_length=16,
        choices=Severity.choices,
        default=Severity.INFO,
    )
    sms_min_severity = models.CharField(
        _("SMS from"), max_length=16, choices=Severity.choices, default=Severity.ERROR
    )
    webhook_min_severity = models.CharField(
        _("webhook from"), max_length=16, choices=Severity.choices, default=Severity.INFO
    )
    apprise_min_severity = models.CharField(
        _("Apprise from"), max_length=16, choices=Severity.choices, default=Severity.INFO
    )

    class Meta:
        verbose_name = _("notification settings")
        verbose_name_plural = _("notification settings")

    def __str__(self) -> str:
        return str(self.user)

    def clean(self) -> None:
        """What no field can tell alone, and names that depend on the machine and the site."""
        super().clean()
        faults = self._address_faults()
        if self.timezone and self.timezone not in zones.names():
            faults["timezone"] = _("There is no such time zone: write a name like “Asia/Shanghai”.")
        if self.language and self.language not in conf.languages():
            known = ", ".join(conf.languages())
            faults["language"] = _("The site speaks %(known)s.") % {"known": known}
        if (self.quiet_start is None) != (self.quiet_end is None):
            missing = "quiet_start" if self.quiet_start is None else "quiet_end"
            faults[missing] = _("Quiet hours need both a beginning and an end.")
        elif self.quiet_start is not None and self.quiet_start == self.quiet_end:
            faults["quiet_end"] = _("Begin and end are the same.")
        if faults:
            raise ValidationError(faults)

    def _address_faults(self) -> dict[str, Any]:
        faults: dict[str, Any] = {}
        if self.email and not for_smtp(self.email):
            faults["email"] = _("Mail cannot be sent to this address.")
        if self.webhook_url and not is_url(self.webhook_url):
            faults["webhook_url"] = _("Write a URL that begins with https:// or http://.")
        if self.apprise_url and (why := service.problem_of(self.apprise_url, is_own=True)):
            faults["apprise_url"] = why
        return faults
