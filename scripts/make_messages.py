#!/usr/bin/env python3
"""Brings the Chinese catalogues in line with the sources: new texts come in empty, texts that are gone leave.

For maintainers, after a text was changed: `.venv/bin/python scripts/make_messages.py`, then fill what it names. Needs
no gettext on the machine; unlike xgettext it finds texts inside of f-strings too. Exit codes: 0 every text has its
translation, 1 some are still to be written.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polib
from django.utils.translation.template import templatize

HOME = Path(__file__).resolve().parent.parent
SOURCES = {
    "scheduler_app": ("scheduler_app",),
    "alerts_app": ("alerts_app",),
    "notifications_app": ("notifications_app",),
    ".": ("project", "templates"),
}
"""The folder that has a `locale`, and the folders whose texts are in it."""

ARGUMENTS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), ("text",)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), ("text", "plural")),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ("context", "text")),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ("context", "text", "plural")),
}
STRING = r"""u?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
CALL = re.compile(rf"\b({'|'.join(ARGUMENTS)})\(({STRING}(?:,\s*{STRING})*)")
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[\d.]*[sdfr]")
METADATA = {
    "Language": "zh_Hans",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Plural-Forms": "nplurals=1; plural=0;",
}


class Message(NamedTuple):
    text: str
    plural: str = ""
    context: str | None = None


def catalogue_of(home: str) -> Path:
    return HOME / home / "locale/zh_Hans/LC_MESSAGES/django.po"


def messages_of(home: str) -> dict[Message, list[str]]:
    """Every text of the folders of `home` in the order of the files, with the files where it stands.

    Raises ValueError where something else than a literal is to be translated.
    """
    found: dict[Message, list[str]] = {}
    for path in _files(home):
        name = str(path.relative_to(HOME))
        for message in _messages(path):
            files = found.setdefault(message, [])
            if name not in files:
                files.append(name)
    return found


def update(home: str) -> polib.POFile:
    """Write the catalogue of `home` anew, with the translations that it has."""
    path = catalogue_of(home)
    known = {_key(one): one for one in polib.pofile(str(path))} if path.exists() else {}
    catalogue = polib.POFile(wrapwidth=98)
    catalogue.metadata = METADATA
    catalogue.extend(
        _entry(message, files, known.get(message)) for message, files in messages_of(home).items()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    catalogue.save(str(path))
    return catalogue


def _files(home: str) -> list[Path]:
    folders = [HOME / folder for folder in SOURCES[home]]
    kinds = ("*.py", "*.html", "*.txt")
    return sorted(path for folder in folders for kind in kinds for path in folder.rglob(kind))


def _messages(path: Path) -> Iterator[Message]:
    source = path.read_text(encoding="utf-8")
    calls = _python_calls(source) if path.suffix == ".py" else _template_calls(source, str(path))
    for name, texts in calls:
        yield Message(**dict(zip(ARGUMENTS[name], texts, strict=False)))


def _python_calls(source: str) -> Iterator[tuple[str, list[str]]]:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda one: (one.lineno, one.col_offset)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name in ARGUMENTS:
            yield name, [ast.literal_eval(one) for one in call.args[: len(ARGUMENTS[name])]]


def _template_calls(source: str, origin: str) -> Iterator[tuple[str, list[str]]]:
    """Django turns a template into a text in which only calls of gettext are left."""
    for name, texts in CALL.findall(templatize(source, origin=origin)):
        yield name, list(ast.literal_eval(f"[{texts}]"))


def _key(entry: polib.POEntry) -> Message:
    return Message(entry.msgid, entry.msgid_plural, entry.msgctxt)


def _entry(message: Message, files: list[str], known: polib.POEntry | None) -> polib.POEntry:
    forms = {"msgstr": known.msgstr if known else ""}
    if message.plural:
        forms = {"msgstr_plural": known.msgstr_plural if known else {0: ""}}
    return polib.POEntry(
        msgid=message.text,
        msgid_plural=message.plural,
        msgctxt=message.context,
        occurrences=[(name, "") for name in files],
        flags=["python-format"] if PLACEHOLDER.search(message.text) else [],
        tcomment=known.tcomment if known else "",
        **forms,
    )


def main() -> int:
    empty = [(home, one.msgid) for home in SOURCES for one in update(home).untranslated_entries()]
    for home, text in empty:
        print(f"{catalogue_of(home).relative_to(HOME)}: {text!r}")
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
