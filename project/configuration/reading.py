"""Reads all declared variables: from the environment of the process, else from `.env` (python-decouple)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from decouple import Config, RepositoryEmpty
from django.core.exceptions import ImproperlyConfigured

from project.configuration import env_file, faults
from project.configuration.env_file import EnvFile, EnvFileError
from project.configuration.faults import Fault
from project.configuration.kinds import COMMENT, NotAllowedError, close
from project.configuration.variables import PREFIXES, VARIABLES, Variable, Wrong
from project.configuration.words import Words, _

HOME = Path(__file__).resolve().parents[2]
NEEDED = (Wrong.REFUSED, Wrong.REFUSED_UNLESS_DEBUG)


@dataclass(frozen=True, slots=True)
class Environment:
    """The value of each declared variable, and all that is wrong with them."""

    values: Mapping[str, Any]
    faults: Sequence[Fault] = ()
    faulty: frozenset[str] = field(default_factory=frozenset)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def channel(self, channel: str) -> dict[str, Any]:
        """The options of a channel. With a wrong value it is on, and PROBLEM says why it sends nothing."""
        options = {
            name.removeprefix(f"{channel}_"): self.values[name]
            for name, variable in VARIABLES.items()
            if variable.channel == channel
        }
        wrong = [
            one
            for one in self.faults
            if one.name in self.faulty and VARIABLES[one.name].channel == channel
        ]
        if wrong:
            options["PROBLEM"] = Words("%(faults)s", faults=_Joined(wrong))
        if f"{channel}_ENABLED" in self.faulty:
            options["ENABLED"] = True
        return options

    def insist(self) -> None:
        """Raises ImproperlyConfigured with every fault, one a line, when one of them forbids the start."""
        if any(one.is_fatal for one in self.faults):
            raise ImproperlyConfigured("\n".join(map(str, self.faults)))


class _Joined:
    """Translated when it is shown."""

    def __init__(self, found: Sequence[Fault]) -> None:
        self._found = found

    def __str__(self) -> str:
        return " ".join(map(str, self._found))


class _Repository(RepositoryEmpty):  # type: ignore[misc]
    """`.env` for python-decouple."""

    def __init__(self, file: EnvFile) -> None:
        self._entries = file.entries

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> str:
        return self._entries[name].value


@cache
def environment() -> Environment:
    """That of this process, read once."""
    return read(path_of_env_file())


def path_of_env_file(home: Path = HOME) -> Path:
    return home / (os.environ.get("VIGIL_ENV_FILE") or ".env")


def read(path: Path) -> Environment:
    """The environment of this process and the file `path`, judged."""
    try:
        file = env_file.read(path)
    except EnvFileError as error:
        fault = Fault(name="", what=Words("%(error)s", error=error), hint=Words(""), is_fatal=True)
        return Environment({}, (fault,))
    reader = _Reader(file)
    values = {name: reader.value(variable) for name, variable in VARIABLES.items()}
    found = [*reader.broken_lines(), *reader.found, *_unknown(file)]
    faulty = {one.name for one in found if one.name in VARIABLES and not one.is_doubt}
    return Environment(values, tuple(found), frozenset(faulty))


class _Reader:
    """Turns the texts of the variables into values; `found` are the faults so far."""

    def __init__(self, file: EnvFile) -> None:
        self.file, self.found = file, list[Fault]()
        self._config = Config(_Repository(file))
        self._broken = {one.name: one for one in file.broken}
        self._is_debug = bool(self.value(VARIABLES["DEBUG"]))
        self.found.clear()

    def value(self, variable: Variable) -> Any:
        """What is in force; notes a fault where that is not what was written."""
        text = self._config(variable.name, default=None)
        if text is None:
            return self._default(variable, is_broken=variable.name in self._broken)
        text = self._text(variable, text)
        is_key = variable.wrong is Wrong.REFUSED_UNLESS_DEBUG
        if not (text or variable.may_be_empty or is_key):
            return self._default(variable)
        try:
            return self._parsed(variable, text)
        except NotAllowedError as error:
            is_fatal = not (self._is_debug and text) if is_key else variable.wrong in NEEDED
            place = self._place(variable.name)
            self.found.append(faults.wrong_value(variable, place, text, error, is_fatal=is_fatal))
            keeps = is_key or variable.wrong is Wrong.PASSED_ON
            return text if keeps else self._default(variable, is_broken=True)

    def broken_lines(self) -> Iterator[Fault]:
        for line in self.file.broken:
            variable = VARIABLES.get(line.name)
            is_fatal = variable is not None and variable.wrong in NEEDED
            yield faults.broken_line(variable, line, self.file.path.name, is_fatal=is_fatal)

    def _default(self, variable: Variable, *, is_broken: bool = False) -> Any:
        if variable.wrong is Wrong.REFUSED_UNLESS_DEBUG and not is_broken:
            self.found.append(faults.missing(variable))
        return variable.kind.parse(variable.default) if variable.default else variable.kind.empty()

    def _parsed(self, variable: Variable, text: str) -> Any:
        entry = self._entry(variable.name)
        if entry and not entry.is_quoted and variable.kind.is_free and COMMENT.search(text):
            raise NotAllowedError(_("put quotes around it if what follows # belongs to it"))
        return variable.kind.parse(text)

    def _text(self, variable: Variable, text: str) -> str:
        entry = self._entry(variable.name)
        if entry is None:
            text, is_quoted = env_file.unquoted(text)
        else:
            is_quoted = entry.is_quoted
        return text if is_quoted else variable.kind.tidied(text)

    def _entry(self, name: str) -> env_file.Entry | None:
        return None if name in os.environ else self.file.entries.get(name)

    def _place(self, name: str) -> str:
        entry = self._entry(name)
        return f"{self.file.path.name} line {entry.line}" if entry else ""


def _unknown(file: EnvFile) -> Iterator[Fault]:
    """Names that nothing reads and that are probably meant for Vigil.

    In the environment of the process only those that begin as ours do and are close to one: it serves others as well.
    """
    for name, entry in file.entries.items():
        place = f"{file.path.name} line {entry.line}"
        if name in VARIABLES:
            if VARIABLES[name].only_process:
                yield faults.without_effect(name, place)
        elif (meant := _meant(name, 0.8)) or name.upper().startswith(PREFIXES):
            yield faults.unknown(name, place, meant or _meant(name, 0.7))
    for name in sorted(os.environ):
        if name not in VARIABLES and name.startswith(PREFIXES) and (meant := _meant(name, 0.75)):
            yield faults.unknown(name, "", meant)


def _meant(name: str, cutoff: float) -> str:
    return close(name.upper(), list(VARIABLES), cutoff)
