"""Reads `.env`: one NAME=value a line, as python-decouple does, but nothing is passed over without a word.

Right are a byte order mark, any ends of lines, `export NAME=value`, blanks around `=`, and quotes around a value,
those of word processors too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from project.configuration.words import Words, _

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXPORT = re.compile(r"export\s+")
_FIRST_NAME = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)")
_QUOTED = re.compile(r"""(["'])(.*)\1(?:\s+#.*)?""")
_OPENING, _CLOSING = "“”„‘’«「『＂＇", "“”‘’»」』＂＇"
_BLANK = " \t\u00a0\u3000\u200b\ufeff"


class EnvFileError(Exception):
    """`.env` cannot be read; each line of the text names a place and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value; `is_quoted`: quotes stood around it."""

    value: str
    line: int
    is_quoted: bool


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that cannot be read. `name`: what it begins with."""

    line: int
    name: str
    why: Words


@dataclass(frozen=True, slots=True)
class EnvFile:
    path: Path
    entries: Mapping[str, Entry] = field(default_factory=dict)
    broken: Sequence[BrokenLine] = ()


class _BrokenError(Exception):
    def __init__(self, why: Words) -> None:
        super().__init__()
        self.why = why


def read(path: Path) -> EnvFile:
    """What is in `path`; one that does not exist is empty. Raises EnvFileError when it cannot be read at all."""
    entries: dict[str, Entry] = {}
    broken: list[BrokenLine] = []
    for number, line in enumerate(_lines(path), start=1):
        text = line.strip(_BLANK)
        if not text or text.startswith("#"):
            continue
        try:
            name, value, is_quoted = _parsed(text)
        except _BrokenError as error:
            found = _FIRST_NAME.match(text)
            broken.append(BrokenLine(number, found[1] if found else "", error.why))
        else:
            entries[name] = Entry(value, number, is_quoted)
    return EnvFile(path, entries, broken)


def unquoted(text: str) -> tuple[str, bool]:
    """`text` without blanks and one pair of quotes around it, and whether there was one."""
    text = text.strip(_BLANK)
    if found := _QUOTED.fullmatch(text):
        return found[2], True
    if len(text) > 1 and text[0] in _OPENING and text[-1] in _CLOSING:
        return text[1:-1], True
    return text, False


def _lines(path: Path) -> list[str]:
    try:
        # not splitlines(), which also breaks at characters that a value may hold
        return (
            path.read_bytes()
            .decode("utf-8-sig")
            .replace("\r\n", "\n")
            .replace("\r", "\n")
            .split("\n")
        )
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise EnvFileError(
            f"{path} line {line}: not UTF-8 text. Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise EnvFileError(f"{path} cannot be read: {error.strerror}.") from error


def _parsed(line: str) -> tuple[str, str, bool]:
    name, equals, rest = (
        part.strip(_BLANK) for part in _EXPORT.sub("", line, count=1).partition("=")
    )
    if not equals or not NAME.fullmatch(name):
        raise _BrokenError(_("expected NAME=value. Correct the line or begin it with #."))
    value, is_quoted = unquoted(rest)
    if value[:1] in ("'", '"') and not is_quoted and value.count(value[0]) == 1:
        raise _BrokenError(
            _("the value of %(name)s begins with a quote that is not closed.", name=name)
        )
    if "\0" in value:
        raise _BrokenError(_("the value of %(name)s holds a NUL byte.", name=name))
    return name, value, is_quoted
