"""What is posted: the JSON of one text, markdown or card within its limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.utils import translation
from django.utils.translation import gettext as _

from notifications_app import conf
from notifications_app.channels.base import Message, Person
from notifications_app.channels.mobile import normalise
from notifications_app.channels.wechat import plain
from notifications_app.channels.wechat.robots import Format
from scheduler_app.texts import cut_line

T = TypeVar("T")

TEXT_LIMIT_BYTES = 2048
MARKDOWN_LIMIT_BYTES = 4096
# Longer ones are cut by some clients (page 99110 calls these "suggested"), in characters.
CARD_SOURCE, CARD_TITLE, CARD_TEXT, CARD_NAME, CARD_VALUE = 13, 26, 112, 8, 40
CARD_FACTS = 6
NAMES_LIMIT = 100
"""Characters: with its link a list of names keeps to half of the shortest post."""
_COLOURS: Mapping[str, str] = {"INFO": "comment", "WARNING": "warning"}
_CARD_COLOURS: Mapping[str, int] = {"INFO": 0, "WARNING": 1}
_USERID = re.compile(r"(?!@)[\w.@-]{1,64}", re.ASCII)


def compose(
    messages: Sequence[Message], format: Format = Format.TEXT, *, shorter: bool = False
) -> dict[str, Any]:
    """The JSON of one post about one happening: worded by the first message, mentioning all who can be mentioned.

    A text mentions by id and by mobile, a markdown by id alone (page 99110): it becomes a text where a person has only
    a mobile. People with neither are named. A card names all and mentions none; without a link it becomes a text.
    `shorter` is for a gateway that called the post too long: half a text instead.
    """
    with translation.override(messages[0].person.language):
        if shorter:
            return text(messages, TEXT_LIMIT_BYTES // 2)
        return _WRITERS[format](messages) or text(messages)


def text(messages: Sequence[Message], limit: int = TEXT_LIMIT_BYTES) -> dict[str, Any]:
    first = messages[0]
    people = [message.person for message in messages]
    content: dict[str, Any] = {"content": fit(first.text, first.link, limit, _named(people))}
    if ids := list(dict.fromkeys(filter(None, map(userid, people)))):
        content["mentioned_list"] = ids
    numbers = (normalise(person.mobile) for person in people if not userid(person))
    if mobiles := list(dict.fromkeys(filter(None, numbers))):
        content["mentioned_mobile_list"] = mobiles
    return {"msgtype": "text", "text": content}


def markdown(messages: Sequence[Message], limit: int = MARKDOWN_LIMIT_BYTES) -> dict[str, Any]:
    """{} where a text can mention more people."""
    people = [message.person for message in messages]
    ids = dict.fromkeys(filter(None, map(userid, people)))
    mentions = "".join(f"<@{one}>" for one in ids)
    has_mobiles = any(mention_of(person) and not userid(person) for person in people)
    if has_mobiles or len(mentions.encode()) > limit // 4:
        return {}
    content = written(messages[0], limit, plain.one_line(_named(people)), mentions)
    return {"msgtype": "markdown", "markdown": {"content": content}}


def written(message: Message, limit: int, *people: str) -> str:
    """The message as markdown of at most `limit` bytes, with its link and the lines `people` at the end."""
    colour = _colour(message, _COLOURS, "warning", "info")
    head = [f'<font color="{colour}">**{_headline(message)}**</font>']
    head += [f"{plain.one_line(n)}: {plain.one_line(v)}" for n, v in message.facts]
    head += [f"> {line}" for line in plain.unformatted(message.body).splitlines() if line]
    tail = []
    address = plain.link(message.link)
    if 0 < len(address) <= limit // 4:
        tail.append(f"[{_('Details')}]({address})")
    return plain.fit("\n".join(head), "\n".join(filter(None, [*tail, *people])), limit)


def card(messages: Sequence[Message]) -> dict[str, Any]:
    """{} without a link to go to."""
    address = plain.link(messages[0].link or conf.get().SITE_URL)
    if not address:
        return {}
    return {"msgtype": "template_card", "template_card": notice(messages, address)}


def notice(messages: Sequence[Message], address: str) -> dict[str, Any]:
    """A card of type text_notice. Nothing in it is formatted; each piece is one line."""
    first = messages[0]
    title = first.title or first.subject
    rest = first.body if len(title) <= CARD_TITLE else f"{title} {first.body}"
    names = ", ".join(message.person.name for message in messages)
    facts = [*first.facts[: CARD_FACTS - 1], (_("For"), names)]
    return {
        "card_type": "text_notice",
        "source": {
            "desc": _piece(first.label or first.severity, CARD_SOURCE),
            "desc_color": _colour(first, _CARD_COLOURS, 2, 3),
        },
        "main_title": {"title": _piece(title, CARD_TITLE)},
        "sub_title_text": _piece(rest, CARD_TEXT),
        "horizontal_content_list": [
            {"keyname": _piece(name, CARD_NAME), "value": _piece(value, CARD_VALUE)}
            for name, value in facts
        ],
        "card_action": {"type": 1, "url": address},
    }


def userid(person: Person) -> str:
    """Their id, "" for none. What begins with @ is none: `@all` would call everybody."""
    found = person.wechat_userid.strip()
    return found if _USERID.fullmatch(found) else ""


def mention_of(person: Person) -> str:
    """The id or the mobile by which a post mentions `person`, "" without one."""
    return userid(person) or normalise(person.mobile)


def _named(people: Sequence[Person]) -> str:
    """A line with the names of those whom a post cannot mention, "" without any."""
    names = dict.fromkeys(person.name for person in people if not mention_of(person))
    return cut_line(f"{_('For')}: {', '.join(names)}", NAMES_LIMIT) if names else ""


def fit(words: str, link: str, limit: int, names: str = "") -> str:
    """A text in at most `limit` bytes of UTF-8, with the lines `names` and `link` at its end; it mentions no one."""
    words, link, names = map(plain.harmless, (words, link, names))
    if names:
        words = f"{words.removesuffix(link).rstrip()}\n{names}"
    if link and not words.endswith(link):
        words = f"{words}\n{link}"
    if len(words.encode()) <= limit:
        return words
    tail = "\n".join(filter(None, (names, link)))
    return plain.fit(words.removesuffix(tail), tail, limit)


def _headline(message: Message) -> str:
    if not message.title:
        return plain.one_line(message.subject)
    # the blank keeps the brackets from being those of a link
    return f"[{plain.one_line(message.label or message.severity)}] {plain.one_line(message.title)}"


def _piece(words: str, limit: int) -> str:
    return cut_line(plain.harmless(words), limit)


def _colour(message: Message, usual: Mapping[str, T], bad: T, good: T) -> T:
    return good if message.kind == "resolve" else usual.get(message.severity, bad)


_WRITERS: Mapping[Format, Callable[[Sequence[Message]], dict[str, Any]]] = {
    Format.TEXT: text,
    Format.MARKDOWN: markdown,
    Format.CARD: card,
}
