"""Regular expressions whose search takes time in proportion to the text, whatever the pattern (pure).

Python's `re` goes back and tries again: `^(a+)+$` keeps it busy for years with fifty characters. Here a pattern becomes
an automaton (Thompson, 1968) of at most MOST_STATES states, all of which are followed at once, character by character.
What needs to go back (references to groups, looking ahead or behind) is refused. `re._parser` is Python's own reader of
patterns; it has no public name.
"""

from __future__ import annotations

import re
import re._constants as ops
import re._parser as parser
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

MOST_STATES = 200
LONGEST_TEXT = 2000
LONGEST_PATTERN = 500

Test = Callable[[str], bool]
"""Of a character."""
ACCEPT = 0


class PatternError(ValueError):
    """A pattern that cannot be used; the text says what to write."""


class LinearPattern:
    """What `search` tells is what `re.search` finds: whether there is a match somewhere in the text."""

    def __init__(self, pattern: str) -> None:
        """Raises PatternError."""
        self._steps: dict[int, tuple[Test, int]] = {}
        self._splits: dict[int, tuple[int, ...]] = {}
        self._places: dict[int, tuple[Any, int]] = {}
        self._count = ACCEPT + 1
        self._start = self._sequence(_parsed(pattern), ACCEPT)

    def search(self, text: str) -> bool:
        states: set[int] = set()
        for place, character in enumerate(text):
            reached = self._reach({*states, self._start}, text, place)
            if ACCEPT in reached:
                return True
            states = {
                self._steps[one][1]
                for one in reached
                if one in self._steps and self._steps[one][0](character)
            }
        return ACCEPT in self._reach({*states, self._start}, text, len(text))

    def _reach(self, states: set[int], text: str, place: int) -> set[int]:
        """`states` and all that are reached from them without a character."""
        reached, waiting = set(states), list(states)
        while waiting:
            one = waiting.pop()
            following = self._splits.get(one, ())
            if one in self._places and _is_at(self._places[one][0], text, place):
                following = (self._places[one][1],)
            waiting += [state for state in following if state not in reached]
            reached.update(following)
        return reached

    def _new(self) -> int:
        if self._count >= MOST_STATES:
            raise PatternError(
                _("has too many parts: write smaller numbers in {} or fewer choices")
            )
        self._count += 1
        return self._count - 1

    def _sequence(self, items: Iterable[Any], following: int) -> int:
        """The state at which `items` begin; they lead to the state `following`."""
        for kind, argument in reversed(list(items)):
            following = self._item(kind, argument, following)
        return following

    def _item(self, kind: Any, argument: Any, following: int) -> int:
        if kind is ops.SUBPATTERN:
            _group, added, removed, items = argument
            if added or removed:
                raise PatternError(_("has flags: write it without them"))
            return self._sequence(items, following)
        if kind is ops.BRANCH:
            return self._split(*(self._sequence(items, following) for items in argument[1]))
        if kind in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            least, most, items = argument
            return self._repeat(least, most, items, following)
        state = self._new()
        if kind is ops.AT:
            self._places[state] = (argument, following)
        else:
            self._steps[state] = (_test(kind, argument), following)
        return state

    def _split(self, *following: int) -> int:
        state = self._new()
        self._splits[state] = following
        return state

    def _repeat(self, least: int, most: int, items: Iterable[Any], following: int) -> int:
        items = list(items)
        if most == ops.MAXREPEAT:
            loop = self._split()
            self._splits[loop] = (self._sequence(items, loop), following)
            following = loop
        else:
            end = following
            for _number in range(most - least):
                following = self._split(self._sequence(items, following), end)
        for _number in range(least):
            following = self._sequence(items, following)
        return following


def _parsed(pattern: str) -> Iterable[Any]:
    if len(pattern) > LONGEST_PATTERN:
        raise PatternError(
            _("is longer than %(longest)d characters") % {"longest": LONGEST_PATTERN}
        )
    try:
        parsed: Any = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(_("is no pattern: %(error)s") % {"error": error}) from None
    if parsed.state.flags & ~re.UNICODE:
        raise PatternError(_("has flags: write it without them"))
    items: Iterable[Any] = parsed
    return items


def _test(kind: Any, argument: Any) -> Test:
    if kind is ops.ANY:
        return lambda character: character != "\n"
    if kind is ops.LITERAL:
        return chr(argument).__eq__
    if kind is ops.NOT_LITERAL:
        return chr(argument).__ne__
    if kind is ops.RANGE:
        first, last = map(chr, argument)
        return lambda character: first <= character <= last
    if kind is ops.CATEGORY:
        return CATEGORIES[argument]
    if kind is ops.IN:
        is_negated = argument[0][0] is ops.NEGATE
        tests = [_test(*one) for one in argument[is_negated:]]
        return lambda character: any(test(character) for test in tests) != is_negated
    raise PatternError(_("refers to a group or looks ahead or behind: write it without"))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


CATEGORIES: dict[Any, Test] = {
    ops.CATEGORY_DIGIT: str.isdecimal,
    ops.CATEGORY_NOT_DIGIT: lambda character: not character.isdecimal(),
    ops.CATEGORY_SPACE: str.isspace,
    ops.CATEGORY_NOT_SPACE: lambda character: not character.isspace(),
    ops.CATEGORY_WORD: _is_word,
    ops.CATEGORY_NOT_WORD: lambda character: not _is_word(character),
}


def _is_at(kind: Any, text: str, place: int) -> bool:
    if kind in (ops.AT_BEGINNING, ops.AT_BEGINNING_STRING):
        return place == 0
    if kind is ops.AT_END:
        return place == len(text) or (place == len(text) - 1 and text[place] == "\n")
    if kind is ops.AT_END_STRING:
        return place == len(text)
    before, after = text[place - 1 : place] if place else "", text[place : place + 1]
    is_boundary = _is_word(before) != _is_word(after)
    return is_boundary == (kind is ops.AT_BOUNDARY)


@lru_cache(maxsize=512)
def compiled(pattern: str) -> LinearPattern:
    """Raises PatternError."""
    return LinearPattern(pattern)
