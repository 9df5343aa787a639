from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.widgets import ForeignKeyRawIdWidget
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from notifications_app import preferences
from notifications_app.models import NotificationSettings
from notifications_app.pages.preferences_form import SecretUrlsForm
from scheduler_app.admin.base import Admin


@admin.register(NotificationSettings)
class NotificationSettingsAdmin(Admin):
    list_display = (
        "user",
        "system_enabled",
        "email_enabled",
        "wechat_enabled",
        "sms_enabled",
        "quiet_start",
        "quiet_end",
        "timezone",
    )
    form = SecretUrlsForm
    list_select_related = ("user",)
    list_per_page = 50
    fieldsets = (
        (None, {"fields": ("user", "language", "timezone")}),
        (_("In-app"), {"fields": ("system_enabled", "system_min_severity")}),
        (_("E-mail"), {"fields": ("email_enabled", "email_min_severity", "email")}),
        (_("WeChat Work"), {"fields": ("wechat_enabled", "wechat_min_severity", "wechat_userid")}),
        (
            _("WeChat Work application"),
            {"fields": ("wechat_app_enabled", "wechat_app_min_severity")},
        ),
        (_("SMS"), {"fields": ("sms_enabled", "sms_min_severity", "mobile")}),
        (_("Webhook"), {"fields": ("webhook_enabled", "webhook_min_severity", "webhook_url")}),
        (_("Apprise"), {"fields": ("apprise_enabled", "apprise_min_severity", "apprise_url")}),
        (_("Quiet hours"), {"fields": ("quiet_start", "quiet_end", "critical_bypasses_quiet")}),
    )

    def conceal(self, name: str, value: Any) -> Any:
        show = preferences.SECRET_URLS.get(name)
        return show(value) if show and value else super().conceal(name, value)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        if lookup.partition("__")[0] in preferences.SECRET_URLS:
            return False
        return super().lookup_allowed(lookup, value, request)

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Not an attribute: a site that keeps its users out of the admin gets a field for the key instead."""
        return ("user",) if self._finds_users() else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if not self._finds_users():
            kwargs["widget"] = ForeignKeyRawIdWidget(db_field.remote_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The person is the row's key: another person has another row."""
        return ("user",) if obj else ()

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return (f"user__{get_user_model().USERNAME_FIELD}", "email", "mobile")

    def _finds_users(self) -> bool:
        users = self.admin_site._registry.get(get_user_model())
        return bool(users and users.search_fields)
