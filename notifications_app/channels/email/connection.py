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
from notifications_app.channels.email.addresses import ascii_host
from notifications_app.channels.email.options import EmailOptions, Tls
from notifications_app.channels.email.replies import error_for
from notifications_app.channels.email.reply_rules import Stage
from notifications_app.channels.email.silence import PlainSmtp
from notifications_app.channels.email.wear import WARM_S, Wear
from notifications_app.channels.loopback import is_loopback
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    UnknownOutcomeError,
)
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
            smtp = self._begin(recipient, timeout_s)
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

    def _begin(self, recipient: str, timeout_s: float) -> smtplib.SMTP:
        """Name the sender; on a new connection when the server has ended this one meanwhile."""
        begin_s = time.monotonic()
        try:
            return self._mail_from(recipient, timeout_s)
        except smtplib.SMTPServerDisconnected:
            if time.monotonic() - begin_s > WARM_S:
                raise
            self.open(timeout_s)
            return self._mail_from(recipient, timeout_s)

    def _mail_from(self, recipient: str, timeout_s: float) -> smtplib.SMTP:
        smtp = self._ready(timeout_s)
        options = () if recipient.isascii() else ("SMTPUTF8", "BODY=8BITMIME")
        if options and not smtp.has_extn("smtputf8"):
            text = f"The mail server offers no SMTPUTF8, so it cannot take the address {recipient}"
            raise PermanentError(text)
        _expect(Stage.SENDER, smtp.mail(self._options.sender, options))
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
        smtp.local_hostname = self._options.ehlo_name or ehlo_name(smtp)
        _greet(smtp)
        self._make_private(smtp)
        self._log_in(smtp)

    def _make_private(self, smtp: smtplib.SMTP) -> None:
        wish = self._options.tls
        if wish in (Tls.SSL, Tls.NONE):
            return
        if smtp.has_extn("starttls"):
            _expect(Stage.GREETING, smtp.starttls(context=trust(self._options.ca_file)))
            _greet(smtp)
        elif wish is Tls.STARTTLS:
            text = f"{_where(self._options)} offers no STARTTLS: set EMAIL_USE_TLS=ssl (usual on port 465) or false"
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
        if missing := _missing_login(smtp, options):
            raise ConfigurationError(missing)
        try:
            smtp.login(options.username, options.password)
        except smtplib.SMTPAuthenticationError as error:
            raise error_for(Stage.LOGIN, error.smtp_code, _text(error.smtp_error)) from None
        except UnicodeError as error:
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
    name = options.ehlo_name or "localhost"
    if options.tls is Tls.SSL:
        context = trust(options.ca_file)
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            local_hostname=name, timeout=timeout_s, context=context
        )
    else:
        smtp = PlainSmtp(local_hostname=name, timeout=timeout_s)
    # the certificate is checked for it; smtplib sets it only where its constructor connects
    smtp._host = options.host  # type: ignore[attr-defined]
    return smtp


def ehlo_name(smtp: smtplib.SMTP) -> str:
    """What the client calls itself: its name where that is fully qualified, else its address on this connection.

    RFC 5321, 4.1.1.1 and 4.1.4: a client without a meaningful name sends an address literal (4.1.3). The domain of the
    sender would not do: it names the mail server, and servers refuse clients that call themselves by their own name.
    """
    name = socket.gethostname()
    if "." in name and ascii_host(name) and not name.endswith(LOCAL_DOMAINS):
        return ascii_host(name)
    assert smtp.sock is not None
    address = str(smtp.sock.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


LOCAL_DOMAINS = (".local", ".localdomain", ".internal", ".lan")
"""Domains that only a machine or its own network knows."""


def _greet(smtp: smtplib.SMTP) -> None:
    """EHLO, else HELO."""
    try:
        smtp.ehlo_or_helo_if_needed()
    except smtplib.SMTPHeloError as error:
        raise error_for(Stage.GREETING, error.smtp_code, _text(error.smtp_error)) from None


LOGINS = ("CRAM-MD5", "PLAIN", "LOGIN")
"""What smtplib can use."""


def _missing_login(smtp: smtplib.SMTP, options: EmailOptions) -> str:
    """Why no login is possible, as far as the server's EHLO tells; "" when one is."""
    offered = smtp.esmtp_features.get("auth", "").upper().split()
    if set(LOGINS) & set(offered):
        return ""
    if offered:
        return (
            f"{_where(options)} offers only the logins {', '.join(offered)}; Vigil uses {', '.join(LOGINS)}:"
            " allow one of them there (an app password, SMTP AUTH), or set EMAIL BACKEND"
        )
    if isinstance(smtp.sock, ssl.SSLSocket):
        return (
            f"{_where(options)} offers no login: leave EMAIL_USERNAME empty, or set another server"
        )
    return (
        f"{_where(options)} offers no login over an open connection:"
        " set EMAIL_USE_TLS to starttls or ssl, or leave EMAIL_USERNAME empty"
    )


def _expect(stage: Stage, reply: tuple[int, bytes | str], wanted: int = 2) -> tuple[int, str]:
    code, said = reply[0], _text(reply[1])
    if code // 100 != wanted:
        raise error_for(stage, code, said)
    return code, said


def _not_connected(options: EmailOptions, error: Exception) -> DeliveryError:
    where = _where(options)
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"The certificate of {where} is not trusted ({_words(error)}): {_trusted_by(error)}"
        return ConfigurationError(text)
    if isinstance(error, ssl.SSLError) and error.reason in PLAIN_ANSWERS:
        text = f"{where} speaks plain SMTP: set EMAIL_USE_TLS=starttls (usual on port 587)"
        return ConfigurationError(text)
    return DeliveryError(f"No connection to the mail server {where}: {_words(error)}")


PLAIN_ANSWERS = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
"""What OpenSSL says to an answer that is no TLS."""
EXPIRED, NOT_YET_VALID, OTHER_HOST, OTHER_IP = 10, 9, 62, 64
"""X509_V_ERR_* of OpenSSL."""


def _trusted_by(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (EXPIRED, NOT_YET_VALID):
        return "the server needs a new one, or this machine's clock is wrong; EMAIL_CA_FILE does not help"
    if error.verify_code in (OTHER_HOST, OTHER_IP):
        return "set EMAIL_SMTP_SERVER to a name in it; EMAIL_CA_FILE does not help"
    return "set EMAIL_CA_FILE to the authority that issued it"


def _where(options: EmailOptions) -> str:
    return f"{options.host}:{options.port}"


def _text(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode("utf-8", "replace")


def _words(error: Exception) -> str:
    return cut_line(mask(str(error) or type(error).__name__), 200)
