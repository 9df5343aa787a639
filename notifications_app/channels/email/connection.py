"""One connection to the mail server, kept over several messages. Every way in which it can fail has its error."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from functools import cache

from notifications_app import conf
from notifications_app.channels.base import Message
from notifications_app.channels.email import letter
from notifications_app.channels.email.options import EmailOptions, Tls
from notifications_app.channels.email.replies import Stage, error_for
from notifications_app.channels.email.wear import WARM_S, Wear
from notifications_app.channels.loopback import is_loopback
from notifications_app.errors import ConfigurationError, DeliveryError, UnknownOutcomeError
from scheduler_app.masking import mask
from scheduler_app.texts import cut_line

CHECK_S = 5.0


class Connection:
    """Ask `is_fresh` before each use, and `open` it where it is not. For one thread at a time."""

    def __init__(self, options: EmailOptions) -> None:
        self._options = options
        self._smtp: smtplib.SMTP | None = None
        self._wear = Wear(options)

    def write(self, message: Message) -> bytes:
        """`message` as DATA wants it. Raises PermanentError for what cannot be written."""
        return letter.write(message, self._options, conf.get().SITE_URL)

    def socket(self) -> socket.socket | None:
        return self._smtp.sock if self._smtp else None

    def is_fresh(self) -> bool:
        """Whether the connection is there, not too old, and the server still answers on it."""
        smtp = self._smtp
        if smtp is None or smtp.sock is None or self._wear.is_worn():
            return False
        if self._wear.is_warm():
            return True
        try:
            smtp.sock.settimeout(CHECK_S)
            return smtp.rset()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def open(self, timeout_s: float) -> None:
        """Connect anew, make it private, log in. `timeout_s` holds for each read. Raises DeliveryError."""
        self.close()
        try:
            self._open(timeout_s)
        except smtplib.SMTPResponseException as error:
            self.close()
            raise error_for(Stage.GREETING, error.smtp_code, _text(error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise _not_connected(self._options, error) from error
        except UnicodeError as error:
            self.close()
            raise ConfigurationError("EMAIL_SMTP_SERVER is not the name of a host.") from error
        except DeliveryError:
            self.close()
            raise
        self._wear.opened()

    def send(self, recipient: str, written: bytes, timeout_s: float) -> tuple[str, str]:
        """Hand in what `write` made for one `recipient`; returns code and text of the reply. Raises DeliveryError."""
        try:
            smtp = self._begin(timeout_s)
            _expect(Stage.RECIPIENT, smtp.rcpt(recipient))
            _expect(Stage.MESSAGE, smtp.docmd("DATA"), wanted=3)
            smtp.send(written)
        except (smtplib.SMTPException, OSError) as error:
            text = (
                f"The mail server ended the connection before it had the message: {_words(error)}"
            )
            raise DeliveryError(text) from error
        try:
            reply = smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            text = f"The mail server has the message and gave no verdict: {_words(error)}"
            raise UnknownOutcomeError(text) from error
        self._wear.used()
        code, said = _expect(Stage.MESSAGE, reply)
        return str(code), cut_line(mask(said), 500)

    def _begin(self, timeout_s: float) -> smtplib.SMTP:
        """Name the sender; on a new connection when the server has ended this one meanwhile."""
        smtp = self._ready(timeout_s)
        begin_s = time.monotonic()
        try:
            reply = smtp.mail(self._options.sender)
        except smtplib.SMTPServerDisconnected:
            if time.monotonic() - begin_s > WARM_S:
                raise
            self.open(timeout_s)
            smtp = self._ready(timeout_s)
            reply = smtp.mail(self._options.sender)
        _expect(Stage.SENDER, reply)
        return smtp

    def _ready(self, timeout_s: float) -> smtplib.SMTP:
        smtp = self._smtp
        assert smtp is not None
        assert smtp.sock is not None
        smtp.sock.settimeout(timeout_s)
        self._wear.carries()
        return smtp

    def close(self) -> None:
        """Without a farewell: QUIT could wait for a server that hangs, and nothing depends on it."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def _open(self, timeout_s: float) -> None:
        self._smtp = smtp = _client(self._options, timeout_s)
        _expect(Stage.GREETING, smtp.connect(self._options.host, self._options.port))
        smtp.ehlo_or_helo_if_needed()
        self._make_private(smtp)
        self._log_in(smtp)

    def _make_private(self, smtp: smtplib.SMTP) -> None:
        wish = self._options.tls
        if wish in (Tls.SSL, Tls.NONE):
            return
        if smtp.has_extn("starttls"):
            _expect(Stage.GREETING, smtp.starttls(context=trust(self._options.ca_file)))
            smtp.ehlo_or_helo_if_needed()
        elif wish is Tls.STARTTLS:
            where = f"{self._options.host}:{self._options.port}"
            text = f"{where} offers no STARTTLS: set EMAIL_USE_TLS=ssl (usual on port 465) or false"
            raise ConfigurationError(text)

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        options = self._options
        if not options.username:
            return
        if not isinstance(smtp.sock, ssl.SSLSocket) and not is_loopback(options.host):
            text = (
                f"The password is not sent to {options.host} over a connection that others can read:"
                " set EMAIL_USE_TLS to true or ssl"
            )
            raise ConfigurationError(text)
        try:
            smtp.login(options.username, options.password)
        except smtplib.SMTPAuthenticationError as error:
            raise error_for(Stage.LOGIN, error.smtp_code, _text(error.smtp_error)) from None
        except (smtplib.SMTPNotSupportedError, UnicodeError) as error:
            raise ConfigurationError(f"No login is possible: {_words(error)}") from None


@cache
def trust(ca_file: str) -> ssl.SSLContext:
    """Certificates are checked, against `ca_file` or the system's authorities. Raises ConfigurationError."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ConfigurationError(f"EMAIL_CA_FILE cannot be used: {_words(error)}") from error


def _client(options: EmailOptions, timeout_s: float) -> smtplib.SMTP:
    # the default name in EHLO asks the DNS, which may take longer than the whole message
    name = socket.gethostname() or "localhost"
    if options.tls is Tls.SSL:
        context = trust(options.ca_file)
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            local_hostname=name, timeout=timeout_s, context=context
        )
    else:
        smtp = smtplib.SMTP(local_hostname=name, timeout=timeout_s)
    # the certificate is checked for it; smtplib sets it only where its constructor connects
    smtp._host = options.host  # type: ignore[attr-defined]
    return smtp


def _expect(stage: Stage, reply: tuple[int, bytes | str], wanted: int = 2) -> tuple[int, str]:
    code, said = reply[0], _text(reply[1])
    if code // 100 != wanted:
        raise error_for(stage, code, said)
    return code, said


def _not_connected(options: EmailOptions, error: Exception) -> DeliveryError:
    where = f"{options.host}:{options.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"The certificate of {where} is not trusted ({_words(error)}): set EMAIL_CA_FILE"
        return ConfigurationError(text)
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        return ConfigurationError(f"{where} does not begin with TLS: set EMAIL_USE_TLS=true")
    return DeliveryError(f"No connection to the mail server {where}: {_words(error)}")


def _text(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode("utf-8", "replace")


def _words(error: Exception) -> str:
    return cut_line(mask(str(error) or type(error).__name__), 200)
