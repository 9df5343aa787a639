"""The kinds of URLs: of web addresses, and of servers with a password in it."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from project.configuration.kinds import Kind, NotAllowedError, close
from project.configuration.words import Words, _
from scheduler_app.masking import MASK, mask

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_USERINFO = re.compile(r"^([\w+.-]*:?/{0,2})(.*)@", re.DOTALL)
ENCODED = "# is %23, / is %2F, ? is %3F, @ is %40, [ is %5B, ] is %5D"


class Url(Kind):
    """A URL of one of `schemes`."""

    def __init__(self, *schemes: str, example: str) -> None:
        self.schemes, self.example = schemes, example
        words = " or ".join(f"{scheme}://" for scheme in schemes)
        self.allowed = _("a URL that begins with %(schemes)s", schemes=words)

    def tidied(self, text: str) -> str:
        return re.sub(r"\s+#.*$", "", text).strip()

    def shown(self, text: str) -> str:
        return repr(hidden(text))

    def parse(self, text: str) -> str:
        self.judge(self.split(text))
        scheme, colon, rest = text.partition("://")
        return f"{scheme.lower()}{colon}{rest}"

    def split(self, text: str) -> SplitResult:
        """The parts of `text`, whose scheme, password, host and port are in order."""
        self._judge_scheme(text)
        if re.search(r"\s", text) or not text.isprintable():
            raise NotAllowedError(_("it holds a blank"))
        if why := _unencoded(text):
            raise NotAllowedError(why)
        try:
            parts = urlsplit(text)
            if parts.port == 0:
                raise ValueError(text)
        except ValueError:
            raise NotAllowedError(_("its host or port cannot be read")) from None
        return parts

    def judge(self, parts: SplitResult) -> None:
        """Raises NotAllowedError for parts that do not go together."""
        if not parts.hostname:
            raise NotAllowedError(_("it has no host"))

    def _judge_scheme(self, text: str) -> None:
        found = SCHEME.match(text)
        if found and found[1].lower() in self.schemes:
            return
        if found:
            near = close(found[1].lower().partition("+")[0], self.schemes)
            instead = hidden(f"{near}://{text[found.end() :]}") if near else ""
            raise NotAllowedError(_("%(scheme)s is not possible", scheme=found[1]), instead=instead)
        bare = re.sub(r"^\w*[:：]?[/／\\]{1,3}", "", text)
        instead = hidden(f"{self.schemes[0]}://{bare}") if bare and " " not in bare else ""
        raise NotAllowedError(_("the scheme is missing"), instead=instead)


class Site(Url):
    """The address of a site: no user, no query, no fragment; the value has no slash at its end."""

    def __init__(self) -> None:
        super().__init__("https", "http", example="https://vigil.example.com")

    def parse(self, text: str) -> str:
        return super().parse(text).rstrip("/")

    def judge(self, parts: SplitResult) -> None:
        super().judge(parts)
        if parts.query or parts.fragment or parts.username is not None:
            instead = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
            raise NotAllowedError(_("it has more than host, port and path"), instead=instead)


class Database(Url):
    """The databases that Vigil runs on, as dj_database_url takes them."""

    def __init__(self) -> None:
        super().__init__(
            "postgresql", "postgres", "sqlite",
            example="postgresql://vigil:password@db.example.com/vigil",
        )  # fmt: skip
        self.allowed = _("a URL that begins with postgresql:// or sqlite:///")

    def split(self, text: str) -> SplitResult:
        if text.lower().startswith("sqlite://"):
            return urlsplit(text.partition("?")[0])
        if re.match(r"sqlite|[./~]|\w:\\", text) or text.endswith((".sqlite3", ".db")):
            path = re.sub(r"^sqlite:?/{0,3}", "/", text)
            raise NotAllowedError(_("the scheme is missing"), instead=f"sqlite:///{path}")
        return super().split(text)

    def judge(self, parts: SplitResult) -> None:
        if parts.scheme == "sqlite":
            if not parts.path and parts.netloc != ":memory:":
                raise NotAllowedError(_("it names no file"), instead="sqlite:///var/vigil.sqlite3")
        elif not parts.path.strip("/") and "service=" not in parts.query:
            instead = hidden(f"{parts.scheme}://{parts.netloc}/vigil")
            raise NotAllowedError(_("it names no database"), instead=instead)


class Redis(Url):
    """A Redis by TCP, TLS or a Unix socket."""

    def __init__(self) -> None:
        super().__init__("redis", "rediss", "unix", example="redis://:password@127.0.0.1:6379/0")

    def judge(self, parts: SplitResult) -> None:
        if parts.scheme == "unix":
            if not parts.path.strip("/"):
                raise NotAllowedError(
                    _("it names no socket"), instead="unix:///run/redis.sock?db=0"
                )
        elif not re.fullmatch(r"/?[0-9]{0,6}", parts.path):
            instead = hidden(f"{parts.scheme}://{parts.netloc}/0")
            why = _("what follows the host is the number of a database")
            raise NotAllowedError(why, instead=instead)


class Broker(Url):
    """One broker of Celery, or several with semicolons."""

    def __init__(self) -> None:
        super().__init__(
            *("amqp", "amqps", "pyamqp", "redis", "rediss", "redis+socket", "sentinel"),
            example="amqp://vigil:password@127.0.0.1:5672//",
        )
        self.allowed = _("a URL that begins with amqp://, amqps://, redis:// or rediss://")

    def parse(self, text: str) -> str:
        for one in text.split(";"):
            super().parse(one.strip())
        return text

    def judge(self, parts: SplitResult) -> None:
        if parts.scheme in ("redis", "rediss") and parts.hostname:
            Redis().judge(parts)


def hidden(url: str) -> str:
    """`url` without its password, wherever that ends, and without the values that look like secrets."""
    if found := _USERINFO.match(url):
        user, colon, _password = found[2].partition(":")
        url = (
            f"{found[1]}{user if colon else MASK}{f':{MASK}' if colon else ''}@{url[found.end() :]}"
        )
    return mask(url)


def _unencoded(text: str) -> Words | None:
    """Says how to write a password that holds characters with a meaning in URLs; None when it holds none."""
    rest = text.partition("://")[2]
    before = re.split(r"[/?#]", rest, maxsplit=1)[0]
    behind = rest[len(before) :]
    ends_early = "@" in behind and (behind[0] in "#/" or not _has_port(before))
    if not ends_early and not re.search(r"[\[\]]", before.rpartition("@")[0]):
        return None
    return _("user and password have to be percent-encoded (%(codes)s)", codes=ENCODED)


def _has_port(place: str) -> bool:
    return place.rpartition(":")[2].isdigit() or ":" not in place
