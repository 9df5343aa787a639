"""One kept SMTP connection: opened when needed, opened anew when it is old, used by one thread."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Any

from notifications_app.channels.email.replies import error_of
from notifications_app.errors import ConfigurationError, DeliveryError, UnknownOutcomeError
from scheduler_app.masking import mask

MOST_MESSAGES = 50
LONGEST_IDLE_S = 30.0
SSL_PORT, STARTTLS_PORT = 465, 587
LOCAL = ("localhost", "127.0.0.1", "::1")
LEADING_DOT = re.compile(rb"(?m)^\.")


class Connection:
    """`options` are those of the channel EMAIL. Every call ends by `deadline_s` of the monotonic clock."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._smtp: smtplib.SMTP | None = None
        self._sent = 0
        self._used_s = 0.0

    def send(self, mail: EmailMessage, sender: str, recipient: str, deadline_s: float) -> str:
        """Returns the server's words of acceptance. Raises DeliveryError."""
        try:
            smtp = self._ready(deadline_s)
            self._ask(smtp, deadline_s, lambda: smtp.mail(sender), "sender")
            self._ask(smtp, deadline_s, lambda: smtp.rcpt(recipient), "recipient")
            self._ask(smtp, deadline_s, lambda: smtp.docmd("DATA"), "data", good=(354,))
            answer = self._hand_over(smtp, mail.as_bytes(), deadline_s)
        except UnknownOutcomeError:
            self.close()
            raise
        except DeliveryError:
            self._begin_anew(deadline_s)
            raise
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise DeliveryError(f"The mail server cannot be used: {mask(str(error))}.") from error
        self._sent += 1
        self._used_s = time.monotonic()
        return answer

    def close(self) -> None:
        if self._smtp is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                _limit(self._smtp, time.monotonic() + 1.0)
                self._smtp.quit()
            self._smtp.close()
            self._smtp = None

    def _ready(self, deadline_s: float) -> smtplib.SMTP:
        idle_s = time.monotonic() - self._used_s
        if self._smtp and (self._sent >= MOST_MESSAGES or idle_s > LONGEST_IDLE_S):
            self.close()
        if self._smtp and not self._answers(self._smtp, deadline_s):
            self.close()
        if self._smtp is None:
            self._smtp = self._open(deadline_s)
            self._sent = 0
        return self._smtp

    def _answers(self, smtp: smtplib.SMTP, deadline_s: float) -> bool:
        """Whether the server still listens: nothing is lost by asking before there is something to lose."""
        try:
            _limit(smtp, deadline_s)
            return smtp.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def _open(self, deadline_s: float) -> smtplib.SMTP:
        host, port = str(self._options["SMTP_SERVER"]), int(self._options.get("SMTP_PORT") or 587)
        mode = _mode(str(self._options.get("USE_TLS", "auto")).lower(), port)
        context = ssl.create_default_context(cafile=self._options.get("CA_FILE") or None)
        timeout_s = max(deadline_s - time.monotonic(), 0.1)
        smtp = (
            smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=context)
            if mode == "ssl"
            else smtplib.SMTP(host, port, timeout=timeout_s)
        )
        try:
            smtp.ehlo()
            if mode == "starttls" or (mode == "offered" and smtp.has_extn("starttls")):
                smtp.starttls(context=context)
                smtp.ehlo()
            self._log_in(smtp, host)
        except (DeliveryError, OSError, smtplib.SMTPException):
            smtp.close()
            raise
        return smtp

    def _log_in(self, smtp: smtplib.SMTP, host: str) -> None:
        user, password = self._options.get("USERNAME"), self._options.get("PASSWORD")
        if not user:
            return
        if not isinstance(smtp.sock, ssl.SSLSocket) and host not in LOCAL:
            raise ConfigurationError(
                f"{host} offers no encryption, and the password does not go over plain text: "
                "set EMAIL_SMTP_PORT and EMAIL_USE_TLS to what the provider says."
            )
        try:
            smtp.login(str(user), str(password))
        except smtplib.SMTPResponseException as error:
            text = _text(error.smtp_error)
            raise error_of(error.smtp_code, text, stage="login") from error
        except smtplib.SMTPNotSupportedError as error:
            raise ConfigurationError(
                f"{host} offers no login: leave EMAIL_USERNAME empty."
            ) from error

    def _ask(
        self,
        smtp: smtplib.SMTP,
        deadline_s: float,
        command: Callable[[], tuple[int, bytes]],
        stage: str,
        good: tuple[int, ...] = (250, 251),
    ) -> None:
        _limit(smtp, deadline_s)
        code, words = command()
        if code not in good:
            raise error_of(code, _text(words), stage=stage)

    def _hand_over(self, smtp: smtplib.SMTP, payload: bytes, deadline_s: float) -> str:
        """The message itself, after which silence means that nobody knows."""
        body = LEADING_DOT.sub(b"..", payload.rstrip(b"\r\n")) + b"\r\n.\r\n"
        try:
            _limit(smtp, deadline_s)
            smtp.send(body)
            code, words = smtp.getreply()
        except (OSError, smtplib.SMTPServerDisconnected) as error:
            text = f"The mail server was given the message and did not answer: {mask(str(error))}."
            raise UnknownOutcomeError(text) from error
        if code != 250:
            raise error_of(code, _text(words), stage="data")
        return f"{code} {mask(_text(words))}"

    def _begin_anew(self, deadline_s: float) -> None:
        """Forget a message that was refused; a server that does not go along is left."""
        if self._smtp is None:
            return
        try:
            _limit(self._smtp, deadline_s)
            if self._smtp.rset()[0] == 250:
                self._used_s = time.monotonic()
                return
        except (OSError, smtplib.SMTPException):
            pass
        self.close()


def _mode(wanted: str, port: int) -> str:
    if wanted == "auto":
        return {SSL_PORT: "ssl", STARTTLS_PORT: "starttls"}.get(port, "offered")
    if wanted == "ssl":
        return "ssl"
    return "starttls" if wanted in ("true", "1", "yes", "on", "starttls") else "plain"


def _limit(smtp: smtplib.SMTP, deadline_s: float) -> None:
    if isinstance(smtp.sock, socket.socket):
        smtp.sock.settimeout(max(deadline_s - time.monotonic(), 0.1))


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
