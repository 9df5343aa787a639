"""A person's notification settings."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError as ModelValidationError
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from notifications_app import confirmation, preferences
from notifications_app.audience import CHANGE_SETTINGS, VIEW_SETTINGS
from notifications_app.models import NotificationSettings
from scheduler_app.api.endpoint import Endpoint
from scheduler_app.api.inputs import Input, plain
from scheduler_app.api.schema import operation
from scheduler_app.people import may
from scheduler_app.states import Severity

CLOCK = ["%H:%M", "%H:%M:%S"]
FIELDS = tuple(
    field.name
    for field in NotificationSettings._meta.concrete_fields
    if field.editable and not field.primary_key
)


class SettingsQuery(Input):
    user = serializers.CharField(
        required=False,
        max_length=150,
        help_text="Name or id of another person; needs the permission to view or change settings.",
    )


@extend_schema_field(OpenApiTypes.STR)
class SeverityField(serializers.ChoiceField):
    def __init__(self, **options: Any) -> None:
        known = f"One of {', '.join(Severity.values)}."
        super().__init__(choices=Severity.choices, required=False, help_text=known, **options)


class SettingsShape(Input, serializers.ModelSerializer[NotificationSettings]):
    user = serializers.CharField(source="user.get_username", read_only=True)
    email_pending = serializers.CharField(
        read_only=True, help_text="Entered and not confirmed yet: e-mail still goes to `email`."
    )
    quiet_start = serializers.TimeField(required=False, allow_null=True, input_formats=CLOCK)
    quiet_end = serializers.TimeField(required=False, allow_null=True, input_formats=CLOCK)
    system_min_severity = SeverityField()
    email_min_severity = SeverityField()
    wechat_min_severity = SeverityField()
    wechat_app_min_severity = SeverityField()
    sms_min_severity = SeverityField()
    webhook_min_severity = SeverityField()
    apprise_min_severity = SeverityField()

    class Meta:
        model = NotificationSettings
        fields: ClassVar = ["user", "email_pending", *FIELDS]

    def to_representation(self, instance: NotificationSettings) -> dict[str, Any]:
        """URLs that are secrets show scheme and host; sent back like that they stay as they are."""
        masked = {name: preferences.shown(instance, name) for name in preferences.SECRET_URLS}
        return {**super().to_representation(instance), **masked}

    def validate_webhook_url(self, value: str) -> str:
        return self._meant("webhook_url", value)

    def validate_apprise_url(self, value: str) -> str:
        return self._meant("apprise_url", value)

    def _meant(self, field: str, value: str) -> str:
        assert self.instance is not None
        return preferences.meant(preferences.of(self.instance.user), field, value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The model's own rules, on the settings as they would be afterwards."""
        present = {} if self.instance is None else {n: getattr(self.instance, n) for n in FIELDS}
        wanted = NotificationSettings(**{**present, **attrs})
        try:
            wanted.clean()
        except ModelValidationError as error:
            raise ValidationError(error.message_dict) from None
        return attrs


class Settings(Endpoint):
    query_shape = SettingsQuery

    @operation("settings", "settings_retrieve", query=SettingsQuery, answer=SettingsShape)
    def get(self, request: Request) -> Response:
        """How you want to be told; the defaults while you have not changed anything."""
        return Response(SettingsShape(preferences.of(self._person())).data)

    @operation(
        "settings",
        "settings_update",
        query=SettingsQuery,
        body=SettingsShape,
        answer=SettingsShape,
    )
    def put(self, request: Request) -> Response:
        """Replace all settings; what is left out gets its default."""
        person = self._person()
        return self._save(
            person, SettingsShape(NotificationSettings(user=person), plain(request.data))
        )

    @operation(
        "settings",
        "settings_partial_update",
        query=SettingsQuery,
        body=SettingsShape,
        answer=SettingsShape,
    )
    def patch(self, request: Request) -> Response:
        """Change some settings; what is left out stays."""
        person = self._person()
        given = SettingsShape(preferences.of(person), plain(request.data), partial=True)
        return self._save(person, given)

    def _save(self, person: Any, given: SettingsShape) -> Response:
        given.is_valid(raise_exception=True)
        values = given.validated_data
        if not given.partial:
            blank = preferences.defaults_of(person)
            values = {**{name: getattr(blank, name) for name in FIELDS}, **values}
        is_own = person.pk == self.request.user.pk
        save = confirmation.save_own if is_own else preferences.save
        return Response(SettingsShape(save(person, values)).data)

    def _person(self) -> Any:
        """Whose settings are meant. Raises PermissionDenied for another's, Http404 for nobody's."""
        user, wanted = self.request.user, self.query.get("user")
        if wanted is None or wanted in (user.get_username(), str(user.pk)):
            return user
        if not may(user, VIEW_SETTINGS if self.request.method in SAFE_METHODS else CHANGE_SETTINGS):
            raise PermissionDenied(_("You have no permission for the settings of others."))
        return _called(wanted)


def _called(name: str) -> Any:
    """The user of this name, else of this id."""
    model = get_user_model()
    people = model._default_manager.all()
    found = people.filter(**{model.USERNAME_FIELD: name}).first()
    if found is None:
        try:
            found = people.filter(pk=model._meta.pk.to_python(name)).first()
        except (ModelValidationError, OverflowError):
            found = None
    if found is None:
        raise Http404(_("There is no such person."))
    return found
