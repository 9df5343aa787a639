"""A site whose failures reach people: users, an SMTP server and the WeChat Work gateway."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from alerts_app.intake import NewAlert, raise_alert
from notifications_app.models import AlertNotification, NotificationSettings
from tests.factories import make_user
from tests.gateways import Gateway, SmtpSink
from tests.site import Site

WEBHOOKS = {
    "WEBHOOK_ENABLED": "true",
    "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "PRIVATE_NETWORKS": "127.0.0.0/8",
}
"""Webhooks of people, to receivers on this machine."""


def channels_env(sink: SmtpSink | None = None, gateway: Gateway | None = None) -> dict[str, str]:
    """The variables of the guide for these servers."""
    env: dict[str, str] = {}
    if sink:
        env |= {
            "EMAIL_ENABLED": "true",
            "EMAIL_SMTP_SERVER": "127.0.0.1",
            "EMAIL_SMTP_PORT": str(sink.port),
            "EMAIL_FROM": "Vigil <vigil@example.com>",
            "EMAIL_USE_TLS": "false",
        }
    if gateway:
        env |= {"WECHAT_ENABLED": "true", "WECHAT_WEBHOOK_URL": gateway.robot}
    return env


def make_person(name: str = "olga", **wishes: Any) -> Any:
    """Somebody who is reached by every channel."""
    user = make_user(name)
    NotificationSettings.objects.create(user=user, wechat_userid=name, **wishes)
    return user


def make_team(count: int, **wishes: Any) -> list[Any]:
    """So many people of the group "team", who have e-mail alone unless `wishes` say otherwise."""
    model = get_user_model()
    model.objects.bulk_create(
        [model(username=f"person{n}", email=f"person{n}@example.com") for n in range(count)]
    )
    people = list(model.objects.filter(username__startswith="person").order_by("pk"))
    Group.objects.create(name="team").user_set.add(*people)
    only_email = {"system_enabled": False, "wechat_enabled": False}
    NotificationSettings.objects.bulk_create(
        [NotificationSettings(user=one, **{**only_email, **wishes}) for one in people]
    )
    return people


def tell_team(alerts: int) -> None:
    """Raise so many alerts, at most as many as one person gets singly (STORM)."""
    for number in range(alerts):
        raise_alert(NewAlert(fingerprint=f"disk{number}", title="Disk full", owner="team"))


def outcome(site: Site) -> dict[str, str]:
    """State of the notifications by channel and kind."""
    return {
        f"{row.channel} {row.kind}": row.state for row in AlertNotification.objects.order_by("pk")
    }
