"""A site whose failures reach people: users, an SMTP server and the WeChat Work gateway."""

from __future__ import annotations

from typing import Any

from notifications_app.models import AlertNotification, NotificationSettings
from tests.factories import make_user
from tests.gateways import Gateway, SmtpSink
from tests.site import Site


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


def outcome(site: Site) -> dict[str, str]:
    """State of the notifications by channel and kind."""
    return {
        f"{row.channel} {row.kind}": row.state for row in AlertNotification.objects.order_by("pk")
    }
