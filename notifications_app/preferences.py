"""What a person wants: the saved row, or the defaults of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from notifications_app import conf
from notifications_app.channels import registry
from notifications_app.channels.apprise.channel import shown as shown_apprise
from notifications_app.channels.base import Person
from notifications_app.channels.webhook.channel import shown as shown_webhook
from notifications_app.models import NotificationSettings
from notifications_app.quiet_hours import QuietHours
from notifications_app.spans import Span
from scheduler_app import bulk
from scheduler_app.states import Severity

SECRET_URLS: Mapping[str, Callable[[str], str]] = {
    "webhook_url": shown_webhook,
    "apprise_url": shown_apprise,
}
"""Fields that are secrets, and what may be seen of them."""
RANK = {severity: number for number, severity in enumerate(Severity.values)}


def of(user: Any) -> NotificationSettings:
    """The settings of `user`; an unsaved row with the defaults where there is none."""
    return of_all([user])[user.pk]


def of_all(users: Sequence[Any]) -> dict[Any, NotificationSettings]:
    """The settings of `users` by primary key."""
    saved = bulk.by_pk(NotificationSettings, [user.pk for user in users])
    found = {user.pk: saved.get(user.pk) or defaults_of(user) for user in users}
    for user in users:
        found[user.pk].user = user
    return found


def defaults_of(user: Any) -> NotificationSettings:
    """The unsaved settings of a person who has chosen nothing."""
    return NotificationSettings(user=user, **_open_channels())


def _open_channels() -> dict[str, bool]:
    """Switches of the channels that the site has set up for all; they hold for a person who has chosen nothing."""
    switches = {f"{name.lower()}_enabled": name for name in registry.names()}
    own = {field.name for field in NotificationSettings._meta.concrete_fields}
    return {
        switch: True
        for switch, name in switches.items()
        if switch in own and registry.reaches_all(name)
    }


def save(user: Any, changes: Mapping[str, Any]) -> NotificationSettings:
    """Write `changes` (valid values by field, see `NotificationSettings.clean`); what they do not name stays."""
    first = {**_open_channels(), **changes}
    saved, _created = NotificationSettings.objects.update_or_create(
        user=user, defaults=changes, create_defaults=first
    )
    return saved


def shown(settings: NotificationSettings, field: str) -> str:
    """What may be seen of a field of SECRET_URLS: no more than scheme and host."""
    url = getattr(settings, field)
    return SECRET_URLS[field](url) if url else ""


def meant(settings: NotificationSettings, field: str, given: str) -> str:
    """The value of a field of SECRET_URLS that `given` stands for: what is `shown` stands for the saved one."""
    return getattr(settings, field) if given and given == shown(settings, field) else given


def wants(settings: NotificationSettings, channel: str) -> bool:
    """Whether the person has `channel` switched on. A channel without a switch follows the in-app one."""
    return bool(getattr(settings, f"{channel.lower()}_enabled", settings.system_enabled))


def is_severe_enough(settings: NotificationSettings, channel: str, severity: str) -> bool:
    least = getattr(settings, f"{channel.lower()}_min_severity", Severity.INFO)
    return RANK[severity] >= RANK[least]


def quiet_until(settings: NotificationSettings, severity: str, now: datetime) -> datetime | None:
    """When the person's present quiet hours end; None outside of them or when the alert may break them."""
    hours = _quiet_hours(settings, severity)
    return hours.ends_at(now) if hours else None


def quiet_spans(
    settings: NotificationSettings, severity: str, begin: datetime, end: datetime
) -> list[Span]:
    """The person's quiet hours from `begin` until `end`, as far as an alert of `severity` may not break them."""
    hours = _quiet_hours(settings, severity)
    return hours.spans(begin, end) if hours else []


def zone_of(settings: NotificationSettings) -> str:
    return settings.timezone or conf.site_time_zone()


def _quiet_hours(settings: NotificationSettings, severity: str) -> QuietHours | None:
    if settings.quiet_start is None or settings.quiet_end is None:
        return None
    if severity == Severity.CRITICAL and settings.critical_bypasses_quiet:
        return None
    return QuietHours(settings.quiet_start, settings.quiet_end, zone_of(settings))


def language_of(settings: NotificationSettings) -> str:
    return settings.language or conf.site_language()


def person_of(settings: NotificationSettings) -> Person:
    """The person as a channel sees one."""
    user = settings.user
    email_field = user.get_email_field_name()
    return Person(
        key=key_of(user),
        name=name_of(user),
        username=str(user.get_username()),
        email=settings.email or str(getattr(user, email_field, "") or ""),
        wechat_userid=settings.wechat_userid,
        mobile=settings.mobile,
        webhook_url=settings.webhook_url,
        apprise_url=settings.apprise_url,
        language=language_of(settings),
    )


def key_of(user: Any) -> str:
    """Names a person in the outbox, also after the account is gone."""
    return f"user:{user.pk}"


def name_of(user: Any) -> str:
    full_name = getattr(user, "get_full_name", lambda: "")()
    return str(full_name or user.get_username())[:150]


def channels_for(
    settings: NotificationSettings, severity: str, channels: Iterable[str]
) -> list[str]:
    """The channels by which the person is to be told of something of `severity`."""
    return [
        channel
        for channel in channels
        if wants(settings, channel) and is_severe_enough(settings, channel, severity)
    ]
