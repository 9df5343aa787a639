"""The kinds of e-mail addresses, judged as the channel EMAIL does."""

from __future__ import annotations

from notifications_app.channels.email import sender
from project.configuration.kinds import Kind, NotAllowedError
from project.configuration.words import _


class Sender(Kind):
    allowed = _("one address, or a name and an address in angle brackets")
    example = '"Project, Inc." <bot@example.com>'

    def parse(self, text: str) -> str:
        self._parsed(text)
        return text

    def _parsed(self, text: str) -> sender.Sender:
        try:
            return sender.parse(text)
        except sender.SenderError as error:
            raise NotAllowedError(instead=error.instead) from None


class Address(Sender):
    allowed = _("one e-mail address")
    example = "olga@example.com"

    def parse(self, text: str) -> str:
        found = self._parsed(text)
        if "." not in found.address.rpartition("@")[2]:
            raise NotAllowedError
        return found.address
