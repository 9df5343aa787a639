"""The signed link in each mail by which its reader, signed in or not, ends e-mail for themselves (RFC 8058)."""

from __future__ import annotations

from django.core import signing

from notifications_app import conf
from notifications_app.channels.base import Person
from scheduler_app import links

_SIGNER = signing.Signer(salt="notifications_app.unsubscribe")


def link_for(person: Person) -> str:
    """Empty where the site's own address is not known, or it does not have the page."""
    token = _SIGNER.sign(person.key)
    return links.absolute(conf.get().SITE_URL, "vigil_notifications:unsubscribe", token)


def key_in(token: str) -> str:
    """The key of the person whose link holds `token`, "" for one that was not made here."""
    try:
        return _SIGNER.unsign(token)
    except signing.BadSignature:
        return ""


def headers_for(person: Person) -> dict[str, str]:
    """The headers that let a mail program show a button. One click (a POST) is for https alone."""
    link = link_for(person)
    if not link:
        return {}
    headers = {"List-Unsubscribe": f"<{link}>"}
    if link.startswith("https://"):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
