"""Shows characters that control a terminal or hide what a text says as visible text (pure).

Applied where text reaches a person: the output of commands, the lines of the console log, pages, mails and posts. Shown
are control characters, escapes, overrides of the writing direction, invisible characters and halves of characters, each
as `\\u001b`: the form that JSON has for them, so that JSON stays what it was. Words of every language stay as they are,
and so do emoji that are joined from several.
"""

from __future__ import annotations

import re

_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff"
)
_JOINER = "(?<![\u2190-\u2bff\U0001f000-\U0001faff\ufe0f])\u200d|\u200d(?![\u2190-\u2bff\U0001f000-\U0001faff])"
"""A zero-width joiner that joins no emoji."""
_LINES = re.compile(f"[{_UNSEEN}]|{_JOINER}")
_LINE = re.compile(f"[\t\n{_UNSEEN}]|{_JOINER}")


def visible(text: str) -> str:
    """`text` with its lines and tabs, every other control or invisible character as text."""
    return _LINES.sub(_shown, text.replace("\r\n", "\n"))


def visible_line(text: str) -> str:
    """`text` on one line: tabs and ends of lines are shown as text, too."""
    return _LINE.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number in (0x09, 0x0A, 0x0D):
        return {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}[number]
    if number > 0xFFFF:
        high, low = divmod(number - 0x10000, 0x400)
        return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
    return f"\\u{number:04x}"
