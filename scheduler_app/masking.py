"""Takes secrets out of text before it is logged, stored or shown (promise P8).

A secret is a value that was told (`add_secret`), a value behind a name such as `password`, or a text of a known
form: a private key, a JSON Web Token, the password of a URL, an access key of a provider. Each text is masked by
itself: a name in one log record and its value in the next are not seen together, nor is the middle of a key whose first
and last line are missing. Every pattern has bounded repetitions, so that time grows linearly with the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

MASK = "***"
SHORTEST_SECRET = 6
SCHEMA_WORDS = frozenset(
    ("type", "title", "description", "format", "pattern", "minLength", "maxLength")
)

_secrets: tuple[str, ...] = ()

WORDS = (
    r"passw(?:or)?d | passphrase | pwd | secret | token | api[_-]?key | access[_-]?key | private[_-]?key"
    r" | signature | credential | 密码 | 口令 | 密钥 | 秘钥 | 令牌 | 授权码"
)
"""A name with one of them has a secret as its value."""

VALUE = r"""
    (?P<value>
        "(?:[^"\\]|\\.){0,4000}" | '(?:[^'\\]|\\.){0,4000}'
        | \[[^\[\]]{0,4000}\] | \((?!\?)[^()]{0,4000}\) | \{[^{}]{0,4000}\}
        | (?:-[ \t]+\S{1,500}[ \t]*(?:\n[ \t]+|$)){1,50}
        | ["'\[({]{0,3} (?:(?:bearer|basic|digest|token)[ \t]{1,5})? [^\s"'&,;)}\]<，。；、）】]{1,4000}
    )
"""
"""Quoted, in brackets, a list in YAML, or up to the next blank or delimiter."""

_NAMED = re.compile(
    rf"""(?ix)
    (?P<word> {WORDS} ) (?P<rest> [\w.-]{{0,100}} ) \\?["']? [ \t]{{0,20}}
    (?: :=|=>|[=:：]|是(?!否) ) [ \t]{{0,20}} (?: [|>][+-]?[ \t]{{0,5}}(?=\n) )? (?: \n[ \t]{{1,40}} )? [bu]?\\?
    {VALUE}
    """
)
_OPTION = re.compile(
    rf"""(?ix)
    --[\w-]{{0,40}}? (?P<word> {WORDS} ) (?P<rest> [\w-]{{0,40}} ) (?: [ \t]{{1,20}} | ["'],[ \t]{{0,5}} )
    (?! -|(?:is|are|was|to|and|or|not|for|must|has|in|cannot|can|should|option|requires?|required)\b )
    {VALUE}
    """
)
_NAMES = [
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "signature",
    "credential",
    "密",
    "秘",
    "令",
    "授权码",
]
KEY_HINTS = (
    "akia asia ltai akid aiza ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- xox k_live_ k_test_ sk-"
)
# in lower case what a text needs to hold for the pattern to match, and the pattern
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("key=", re.compile(r"(?i)([?&]key=)[^\s\"'&]{1,500}")),
    (
        "authorization",
        re.compile(
            r"(?i)(\bauthorization\\?[\"']?[ \t]{0,5}[=:][ \t]{0,5}\\?[\"']?(?:[a-z]{3,20}[ \t]{1,5})?)"
            r"[^\s\"',}]{1,4000}"
        ),
    ),
    (
        "bearer",
        re.compile(r"(?i)(\bbearer[ \t]{1,5})(?=[a-z]{0,100}[\d._~+/=-])[\w.~+/=-]{8,4000}"),
    ),
    (
        "cookie",
        re.compile(r"(?i)(\b(?:set-)?cookie[\"']?[ \t]{0,5}:[ \t]{0,5}[\"']?)[^\n\"']{1,4000}"),
    ),
    (
        "auth",
        re.compile(r"(?i)(\bauth[\"']?[ \t]{0,5}[=:][ \t]{0,5}[\[(])[^\[\]()]{1,1000}(?=[\])])"),
    ),
    ("</", re.compile(rf"(?ix)(<[\w:.-]{{0,40}}(?:{WORDS})[\w.-]{{0,40}}>)[^<]{{1,4000}}(?=<)")),
    # user:password@host in URLs; the password may have @ # : and, where it begins like no port, /
    (
        "://",
        re.compile(
            r"(\w://[^\s:/\"'<>]{0,200}:)(?!\d{1,5}(?:[/?#\s\"'<>,;)]|$))"
            r"(?:[^\s/\"'<>]{1,300}(?=@)|[^\s\"'<>]{1,300}(?=@))"
        ),
    ),
    # header and payload of a JSON Web Token, even without its signature
    ("eyj", re.compile(r"()\beyJ[\w-]{5,4000}\.[\w-]{5,8000}(?:\.[\w-]{0,2000})?")),
    # access keys of AWS, Aliyun, Tencent, Google; tokens of GitHub, GitLab, Slack, Stripe, OpenAI
    (
        KEY_HINTS,
        re.compile(
            r"()\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|LTAI[A-Za-z0-9]{12,26}|AKID[A-Za-z0-9]{13,40}|AIza[\w-]{30,60}"
            r"|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|glpat-[\w-]{15,100}|xox[abeprs]-[\w-]{10,255}"
            r"|[rs]k_(?:live|test)_\w{10,255}|sk-[\w-]{20,255})"
        ),
    ),
    (
        "hooks.slack /hook/ /bot",
        re.compile(
            r"(hooks\.slack\.com/services/|/open-apis/bot/v2/hook/|/bot(?=\d{6,12}:))[\w:/-]{8,200}"
        ),
    ),
    (
        "mysql mariadb",
        re.compile(
            r"(?i)(\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n]{0,200}?[ \t]-p)(?!ort)[^\s\"']{1,200}"
        ),
    ),
    ("sshpass", re.compile(r"(?i)(\bsshpass[ \t]{1,5}-p[ \t]{0,5})[^\s]{1,200}")),
    (
        "curl",
        re.compile(
            r"(?i)(\bcurl\b[^\n]{0,200}?[ \t](?:-u|--user)[ =]?[\"']?[^\s:]{0,100}:)[^\s\"']{1,200}"
        ),
    ),
)
_HINTED_FORMS = tuple((hints.split(), form) for hints, form in _FORMS)
_NO_SECRET = re.compile(
    r"(?i)(?:i[sz]e[rd]?s?|i[sz]ation|ary|aries|ing)\b.{0,60}"
    r"|.{0,90}(?:count|counts|length|len|size|limit|max|min|expiry|expires?|expired|ttl|age|type|url|uri|endpoint|policy"
    r"|reset|usage|used|required|valid|enabled|changed|created|updated|(?:^|[_-])(?:at|in)|file|path|version|method)"
)
"""What follows the word in names such as `token_count`, `secretary` or `password_file`."""
_NUMBER = re.compile(r"[\"']?\d{1,9}(?:\.\d{1,9})?[\"']?")
_PATH = re.compile(r"[\"']?[/~]")
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_LINES = re.compile(r"(?:\\[nr]|[A-Za-z0-9+/=*\s:,-])*")
_KEY_LINES_REVERSED = re.compile(r"(?:[nr]\\|[A-Za-z0-9+/=*\s])*")


def add_secret(value: str) -> None:
    """Make `value` unshowable from now on; very short values are ignored (they would mask half of any text)."""
    global _secrets
    if len(value) >= SHORTEST_SECRET:
        found = {*_secrets, value, quote(value, safe="")}
        _secrets = tuple(sorted(found, key=len, reverse=True))  # a secret may be a part of another


def known_secrets() -> int:
    """How many values `add_secret` was told: while it is the same, `mask` says the same of a text."""
    return len(_secrets)


def mask(text: str) -> str:
    """`text` with every known secret and everything that looks like one replaced by `***`."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    if "PRIVATE KEY" in text:
        text = _without_keys(text)
    lower = text.lower()
    if any(name in lower for name in _NAMES):
        text = _NAMED.sub(_masked, text)
        text = _OPTION.sub(_masked, text) if "--" in text else text
    for hints, form in _HINTED_FORMS:
        if any(hint in lower for hint in hints):  # much faster than the pattern
            text = form.sub(rf"\g<1>{MASK}", text)
    return text


def _masked(match: re.Match[str]) -> str:
    value = match["value"]
    if _is_harmless(match["word"].lower(), match["rest"], value):
        return match[0]
    before = match[0][: match.start("value") - match.start()]
    opening, closing = value[:1], value[-1:]
    if len(value) > 1 and opening + closing in ('""', "''", "[]", "()", "{}"):
        return f"{before}{opening}{MASK}{closing}"
    quoted = opening if opening in ("'", '"') else ""
    return f"{before}{quoted}{MASK}"


def _is_harmless(word: str, rest: str, value: str) -> bool:
    """Whether the name only speaks of a secret, as `token_count` does, or the value is none."""
    if _NO_SECRET.fullmatch(rest):
        return True
    if rest.lower() == "s" and _NUMBER.fullmatch(value):  # tokens: 5
        return True
    return word == "pwd" and not rest and _PATH.match(value) is not None


def _without_keys(text: str) -> str:
    """`text` without private keys in PEM, even those whose first or last line is missing."""
    pieces, place = [], 0
    while begin := _KEY_BEGINS.search(text, place):
        pieces.append(_without_tail(text[place : begin.start()]))
        end = _KEY_ENDS.search(text, begin.end())
        lines = _KEY_LINES.match(text, begin.end())
        place = end.end() if end else lines.end() if lines else len(text)
        pieces.append(f"{begin[0]}{MASK}")
    pieces.append(_without_tail(text[place:]))
    return "".join(pieces)


def _without_tail(text: str) -> str:
    """`text` without the end of a key that has lost its beginning."""
    end = _KEY_ENDS.search(text)
    if not end:
        return text
    before = text[: end.start()]
    tail = _KEY_LINES_REVERSED.match(before[::-1])
    kept = before[: len(before) - (tail.end() if tail else 0)]
    return f"{kept}{MASK}{text[end.start() :]}"


def shown(value: Any, name: str = "") -> Any:
    """`value` without secrets: neither in its texts nor anywhere under a name that says that it is one."""
    if isinstance(value, Mapping):
        return {key: shown(item, _name_of(key, name)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item, name) for item in value]
    if value in (None, "") or isinstance(value, bool):
        return value
    if _names_a_secret(name, value):
        return MASK
    return mask(value) if isinstance(value, str) else value


def restored(given: Any, saved: Any, name: str = "") -> Any:
    """`given` with the secrets of `saved` in the places where it has what `shown` makes of them.

    The mask stays where `saved` has nothing at that place, or has a list of another length.
    """
    if given == shown(saved, name):
        return saved
    if isinstance(given, Mapping) and isinstance(saved, Mapping):
        return {
            key: restored(item, saved.get(key), _name_of(key, name)) for key, item in given.items()
        }
    if isinstance(given, list) and isinstance(saved, list | tuple) and len(given) == len(saved):
        return [restored(*pair, name) for pair in zip(given, saved, strict=True)]
    return given


def holds_mask(value: Any) -> bool:
    """Whether `value` came out of `shown`, so that storing it would lose the secret behind it."""
    if isinstance(value, Mapping):
        return any(holds_mask(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds_mask(item) for item in value)
    return isinstance(value, str) and MASK in value


def _name_of(key: Any, above: str) -> str:
    """The name that decides about an item: its own, or the secret's in which it is. Words of JSON Schema stay words."""
    return above if _names_a_secret(above, "x") and key not in SCHEMA_WORDS else str(key)


def _names_a_secret(name: str, value: Any) -> bool:
    example = "1" if isinstance(value, int | float) else "x"
    return bool(name) and mask(f"{name}={example}").endswith(MASK)
