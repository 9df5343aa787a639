"""Any provider with a plain HTTP interface, described by the option HTTP.

    "HTTP": {
        "URL": "https://sms.example.com/v1/send",
        "HEADERS": {"Authorization": "Bearer ..."},
        "JSON": {"to": ["${mobile}"], "text": "[Vigil] ${title}", "ref": "${id}"},  # or FORM; or QUERY, for a GET
        "CODE": "result.code",             # where its verdict stands in the JSON of the answer
        "ACCEPTED": [0],                   # what it is for a message that was taken
        "THROTTLED": [429], "PERMANENT": [1003], "CONFIGURATION": [1001],  # anything else may pass
    },

Beside `mobile`, `id` and `text` the words are those of `template.FIELDS`. Without CODE the status of HTTP decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Template
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from notifications_app import http_client
from notifications_app.channels.base import Message
from notifications_app.channels.configuration import is_url, lacking, listed, mapping
from notifications_app.channels.sms import template
from notifications_app.channels.sms.gateway import Accepted, SmsGateway
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from notifications_app.http_client import Answer
from scheduler_app.masking import add_secret, mask
from scheduler_app.texts import cut_line

PAUSE_S = 60.0
TEXT_LIMIT = 200
WORDS = template.FIELDS | {"mobile", "id", "text"}
BODIES = ("JSON", "FORM", "QUERY")
KEYS = frozenset({"URL", "HEADERS", *BODIES, "CODE", "ACCEPTED"})
CLASSES: Mapping[str, type[DeliveryError]] = {
    "THROTTLED": ThrottledError,
    "PERMANENT": PermanentError,
    "CONFIGURATION": ConfigurationError,
}


class GenericGateway(SmsGateway):
    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._http = mapping(options.get("HTTP"))
        self._headers = {k: str(v) for k, v in mapping(self._http.get("HEADERS")).items()}
        for name, value in self._headers.items():
            if str(name).lower() not in ("accept", "content-type"):
                add_secret(value)

    def problem(self) -> str:
        if found := lacking("SMS", self.options, ()):
            return found
        why = self._fault()
        return _("SMS HTTP: %(why)s") % {"why": why} if why else ""

    def _fault(self) -> str:
        if unknown := sorted(map(str, set(self._http) - KEYS - set(CLASSES))):
            return _("unknown key %(key)s") % {"key": unknown[0]}
        if not is_url(str(self._http.get("URL"))):
            return _("its URL is none")
        if len([name for name in BODIES if isinstance(self._http.get(name), Mapping)]) != 1:
            return _("write one of JSON, FORM and QUERY, as a dict")
        if self._http.get("CODE") and not self._http.get("ACCEPTED"):
            return _("with CODE it needs ACCEPTED, too")
        for word in _words([self._http.get(name) for name in BODIES]):
            if word not in WORDS:
                facts = {"word": word, "known": ", ".join(sorted(WORDS))}
                return _("there is no word ${%(word)s}: use %(known)s") % facts
        return ""

    def send(self, mobile: str, message: Message, *, timeout_s: float) -> Accepted:
        said = {
            **template.values(message),
            "mobile": mobile,
            "id": message.id,
            "text": cut_line(message.text, TEXT_LIMIT),
        }
        return self._verdict(self._call(said, timeout_s))

    def _call(self, said: Mapping[str, str], timeout_s: float) -> Answer:
        """Words are put into texts of the structure, never into the JSON or the query that comes of it."""
        url, headers = str(self._http["URL"]), self._headers
        if query := self._http.get("QUERY"):
            joint = "&" if "?" in url else "?"
            whole = f"{url}{joint}{urlencode(_filled(query, said))}"
            return http_client.get(whole, headers=headers, timeout_s=timeout_s)
        form = _filled(self._http.get("FORM"), said)
        body = _filled(self._http.get("JSON"), said)
        return http_client.post(url, json=body, data=form, headers=headers, timeout_s=timeout_s)

    def _verdict(self, answer: Answer) -> Accepted:
        kept = mask(answer.text)
        if path := str(self._http.get("CODE") or ""):
            return self._by_code(answer, _at(answer, path), kept)
        if refused := http_client.refusal(answer, "The SMS gateway"):
            raise refused if answer.status < 500 else _unknown(answer, kept)
        return Accepted(code=f"HTTP {answer.status}", answer=kept)

    def _by_code(self, answer: Answer, code: Any, kept: str) -> Accepted:
        if _is_in(code, self._http["ACCEPTED"]) and answer.status < 300:
            return Accepted(code=str(code), answer=kept)
        if code is None or _is_in(code, self._http["ACCEPTED"]):
            refused = http_client.refusal(answer, "The SMS gateway")
            raise refused if refused and answer.status < 500 else _unknown(answer, kept)
        text = f"The SMS gateway refused: {code}: {cut_line(kept, 200)}"
        for name, kind in CLASSES.items():
            if _is_in(code, self._http.get(name)):
                pause = {"retry_after_s": PAUSE_S} if kind is ThrottledError else {}
                raise kind(text, code=str(code), answer=kept, **pause)
        raise DeliveryError(text, code=str(code), answer=kept)


def _unknown(answer: Answer, kept: str) -> UnknownOutcomeError:
    text = (
        f"The SMS gateway answered HTTP {answer.status} without a verdict: it may have been sent."
    )
    return UnknownOutcomeError(text, code=f"HTTP {answer.status}", answer=kept)


def _is_in(code: Any, codes: Any) -> bool:
    """Whether `code` is one of `codes`, as number or text: gateways write both."""
    return code is not None and str(code) in map(str, listed(codes))


def _at(answer: Answer, path: str) -> Any:
    """What stands at the dotted `path` of the answer's JSON, None for nothing."""
    found: Any = answer.json_object()
    for name in path.split("."):
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            found = found.get(name) if isinstance(found, Mapping) else None
    return None if isinstance(found, Mapping | list) else found


def _filled(shape: Any, said: Mapping[str, str]) -> Any:
    if isinstance(shape, str):
        return Template(shape).safe_substitute(said)
    if isinstance(shape, Mapping):
        return {name: _filled(value, said) for name, value in shape.items()}
    if isinstance(shape, list | tuple):
        return [_filled(value, said) for value in shape]
    return shape


def _words(shape: Any) -> Iterator[str]:
    """The words that the texts in `shape` name."""
    if isinstance(shape, str):
        yield from Template(shape).get_identifiers()
    elif isinstance(shape, Mapping):
        yield from _words(list(shape.values()))
    elif isinstance(shape, list | tuple):
        for value in shape:
            yield from _words(value)
