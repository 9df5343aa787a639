"""Mail by an e-mail backend of Django: whatever a site sends its other mail with. It tells less than SMTP does."""

from __future__ import annotations

import smtplib
import socket
import ssl
from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from notifications_app import conf
from notifications_app.channels.base import Message
from notifications_app.channels.email import letter
from notifications_app.channels.email.addresses import for_smtp
from notifications_app.channels.email.connection import CHECK_S
from notifications_app.channels.email.options import EmailOptions
from notifications_app.channels.email.replies import error_for
from notifications_app.channels.email.reply_rules import Stage
from notifications_app.channels.email.wear import Wear
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    UnknownOutcomeError,
)
from scheduler_app.masking import mask
from scheduler_app.texts import clean, cut_line

_STAGES: tuple[tuple[type[smtplib.SMTPResponseException], Stage], ...] = (
    (smtplib.SMTPAuthenticationError, Stage.LOGIN),
    (smtplib.SMTPSenderRefused, Stage.SENDER),
    (smtplib.SMTPDataError, Stage.MESSAGE),
    (smtplib.SMTPResponseException, Stage.GREETING),
)


class BackendConnection:
    """As `connection.Connection`, for one thread at a time."""

    def __init__(self, options: EmailOptions) -> None:
        self._options = options
        self._backend: BaseEmailBackend | None = None
        self._wear = Wear(options)

    def write(self, message: Message) -> EmailMultiAlternatives:
        options = self._options
        if not for_smtp(message.person.email).isascii():
            raise PermanentError(
                f"No e-mail backend sends to {message.person.email}: it is not ASCII."
            )
        mail = EmailMultiAlternatives(
            subject=letter.one_line(message.subject),
            body=clean(message.text),
            from_email=letter.mailbox(options.sender_name, options.sender),
            to=[letter.mailbox(message.person.name, message.person.email)],
            headers=letter.headers_for(message, options, conf.get().SITE_URL),
        )
        mail.attach_alternative(clean(message.html), "text/html")
        return mail

    def socket(self) -> socket.socket | None:
        smtp = self._smtp()
        return smtp.sock if smtp else None

    def is_fresh(self) -> bool:
        if self._backend is None or self._wear.is_worn():
            return False
        return self._still_answers()

    def open(self, timeout_s: float) -> None:
        self.close()
        backend = self._made()
        if getattr(backend, "timeout", 0) is None:
            backend.timeout = timeout_s
        self._backend = backend
        try:
            backend.open()
        except Exception as error:
            self.close()
            raise _not_opened(error) from error
        self._wear.opened()

    def send(
        self, recipient: str, written: EmailMultiAlternatives, timeout_s: float
    ) -> tuple[str, str]:
        """`recipient` and `timeout_s` are in `written` and in the backend already."""
        assert self._backend is not None
        self._wear.carries()
        try:
            count = self._backend.send_messages([written])
        except Exception as error:
            self.close()
            raise _refused(error) from error
        self._wear.used()
        if count == 0:
            raise DeliveryError("The e-mail backend sent nothing and did not say why.")
        return "", f"handed to {self._options.backend}"

    def close(self) -> None:
        if self._backend is None:
            return
        if smtp := self._smtp():
            smtp.close()  # no farewell: a server that hangs would hold it up
        else:
            self._backend.close()
        self._backend = None

    def _made(self) -> Any:
        options = self._options
        try:
            return get_connection(options.backend, fail_silently=False, **options.backend_options)
        except Exception as error:
            text = f"EMAIL BACKEND or BACKEND_OPTIONS cannot be used: {_words(error)}"
            raise ConfigurationError(text) from error

    def _smtp(self) -> smtplib.SMTP | None:
        """What Django's own backend, and those made from it, talk through."""
        found = getattr(self._backend, "connection", None)
        return found if isinstance(found, smtplib.SMTP) else None

    def _still_answers(self) -> bool:
        smtp = self._smtp()
        if smtp is None:
            return True
        try:
            if smtp.sock is not None:
                smtp.sock.settimeout(CHECK_S)
            return smtp.rset()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False


def _not_opened(error: Exception) -> DeliveryError:
    if isinstance(error, smtplib.SMTPResponseException):
        return _by_reply(error)
    text = f"The e-mail backend did not open: {_words(error)}"
    # a certificate or a login that cannot be used; other errors of the socket pass
    is_ours = isinstance(error, ssl.SSLError) or not isinstance(error, OSError)
    if is_ours and isinstance(error, smtplib.SMTPException | ssl.SSLError):
        return ConfigurationError(text)
    return DeliveryError(text)


def _refused(error: Exception) -> DeliveryError:
    """Whose fault `error` is, as far as its kind says so."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()), (550, b"refused"))
        return error_for(Stage.RECIPIENT, code, _text(said))
    if isinstance(error, smtplib.SMTPResponseException):
        return _by_reply(error)
    if isinstance(error, ValueError):  # a header or an address that cannot be written
        return PermanentError(f"This cannot be written as an e-mail: {_words(error)}")
    if isinstance(error, smtplib.SMTPServerDisconnected | OSError):
        return UnknownOutcomeError(f"The mail server gave no verdict: {_words(error)}")
    return DeliveryError(f"The e-mail backend failed: {_words(error)}")


def _by_reply(error: smtplib.SMTPResponseException) -> DeliveryError:
    stage = next(stage for kind, stage in _STAGES if isinstance(error, kind))
    return error_for(stage, error.smtp_code, _text(error.smtp_error))


def _text(said: Any) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _words(error: Exception) -> str:
    return cut_line(mask(f"{type(error).__name__} {error}".strip()), 200)
