"""Signed webhooks (standardwebhooks.com) to a URL of the person, or to that of the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from notifications_app import conf, http_client
from notifications_app.channels.base import NO_TOPIC, Channel, Message, Outcome, Person, Topic
from notifications_app.channels.calls import Deadline, by_target
from notifications_app.channels.configuration import is_url, lacking, setting
from notifications_app.channels.targets import Target, blaming, target_of
from notifications_app.channels.webhook import payload, signature
from notifications_app.errors import MissingAddressError, PermanentError
from scheduler_app.masking import add_secret, mask

MOST_S = 15.0
"""How long one receiver may take to answer."""


class WebhookChannel(Channel):
    """One post for all people whose messages go to one URL; a lane is a host."""

    name = "WEBHOOK"
    option_names = frozenset({"ENABLED", "URL", "SECRET", "RATE_LIMIT"})
    batch_by_group: ClassVar[bool] = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._url = setting(options, "URL")
        self._secrets = signature.secrets_in(setting(options, "SECRET"))
        for secret in self._secrets:
            add_secret(secret)

    def problem(self) -> str:
        if found := lacking(self.name, self.options, ["SECRET"]):
            return found
        if not all(map(signature.is_secret, self._secrets)):
            return _(
                "WEBHOOK_SECRET is not a secret: write whsec_ and the base64 of 24 random bytes or more"
            )
        if self._url and not is_url(self._url):
            return _("WEBHOOK_URL is not a URL: write %(example)s") % {
                "example": "https://receiver.example.com/vigil"
            }
        return ""

    def address(self, person: Person) -> str:
        target = target_of(person.webhook_url, self._url)
        if target is None:
            raise MissingAddressError(_("no webhook URL set for %(name)s") % {"name": person.name})
        return shown(target.url)

    def lane(self, address: str, topic: Topic = NO_TOPIC) -> str:
        return (urlsplit(address).hostname or "")[:64]

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return by_target(messages, self.target, self._post)

    def secrets_of(self, target: Target) -> list[str]:
        """What posts to `target` are signed with."""
        if not target.is_own:
            return self._secrets
        return [signature.of_person(secret, target.url) for secret in self._secrets]

    def target(self, message: Message) -> Target | None:
        return target_of(message.person.webhook_url, self._url)

    def _post(self, messages: Sequence[Message], deadline: Deadline) -> tuple[str, str]:
        target = self.target(messages[0])
        if target is None or not is_url(target.url):
            raise PermanentError("The webhook of this person is not a URL.")
        site = conf.get().SITE_URL
        body = payload.body_of(messages, site)
        message_id = payload.id_of(messages[0], site, target.url)
        headers = signature.headers_for(body, message_id, self.secrets_of(target))
        with blaming(target):
            answer = http_client.post(
                target.url,
                content=body,
                headers=headers,
                timeout_s=min(deadline.left_s(), MOST_S),
                is_strange=True,
            )
            if refused := http_client.refusal(answer, "The receiver"):
                raise refused
        return f"HTTP {answer.status}", mask(answer.text)


def shown(url: str) -> str:
    """Scheme and host of `url`: all that may be seen of it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return "…"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host[:200]}{port}/…" if host else "…"
