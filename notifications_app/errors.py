"""What can go wrong with notifications: whose fault it is, and whether trying again may help."""

from __future__ import annotations


class NotificationError(Exception):
    """Base of every error that notifications_app raises on purpose."""


class TooManyError(NotificationError):
    """A person has asked for more messages than are sent in so short a time."""


class MissingAddressError(NotificationError):
    """The person has no address for this channel."""


class DeliveryError(NotificationError):
    """The message was not accepted, and trying again may help. `code` and `answer` are the gateway's own."""

    def __init__(self, text: str, *, code: str = "", answer: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.answer = answer


class NotAskedError(DeliveryError):
    """The gateway was not asked, as the time of the call was over: the message is due again, and burns no try."""


class PermanentError(DeliveryError):
    """This message to this person will never be accepted."""


class RefusedAddressError(PermanentError):
    """The target that the person named lies in a network that Vigil does not reach for anybody."""


class ConfigurationError(DeliveryError):
    """The channel itself is not usable (key revoked, password wrong): whoever runs Vigil has to mend it."""


class PolicyError(ConfigurationError):
    """The gateway does not take this message from us (no relaying, taken for spam), and may take others."""


class UnknownOutcomeError(DeliveryError):
    """The request left and no verdict came back: it may have arrived."""


class ThrottledError(DeliveryError):
    """The gateway asks for a pause of the whole channel; this burns no try."""

    def __init__(
        self, text: str, *, retry_after_s: float | None = None, code: str = "", answer: str = ""
    ) -> None:
        super().__init__(text, code=code, answer=answer)
        self.retry_after_s = retry_after_s
