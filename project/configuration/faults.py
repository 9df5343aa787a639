"""What is wrong with a variable, in words that name it, show its value without secrets, and say what to write."""

from __future__ import annotations

from dataclasses import dataclass

from project.configuration.env_file import BrokenLine
from project.configuration.kinds import NotAllowedError
from project.configuration.variables import PAGE, Variable, Wrong
from project.configuration.words import Words, _
from scheduler_app.masking import MASK

KEY_HINT = _(
    "Take the line out of .env and start scripts/run, which writes one; or make one with "
    "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`name` is the variable, "" for a line that names none. With one `is_fatal` nothing may start."""

    name: str
    what: Words
    hint: Words
    is_fatal: bool = False
    is_doubt: bool = False
    """Nothing is wrong with what is in force, but something was probably meant otherwise."""

    def __str__(self) -> str:
        return f"{self.what} {self.hint}".strip()


def wrong_value(
    variable: Variable, place: str, value: str, error: NotAllowedError, *, is_fatal: bool
) -> Fault:
    facts = {
        "where": where(variable.name, place),
        "value": MASK if variable.is_secret else variable.kind.shown(value),
        "allowed": variable.kind.allowed,
    }
    if error.why:
        what = _("%(where)s: %(value)s is not %(allowed)s: %(why)s.", **facts, why=error.why)
    else:
        what = _("%(where)s: %(value)s is not %(allowed)s.", **facts)
    return Fault(name=variable.name, what=what, hint=_hint(variable, error), is_fatal=is_fatal)


def missing(variable: Variable) -> Fault:
    """Of a variable that nothing can start without."""
    what = _("%(name)s is not set: run scripts/run once, it writes .env.", name=variable.name)
    return Fault(name=variable.name, what=what, hint=Words(""), is_fatal=True)


def broken_line(variable: Variable | None, line: BrokenLine, file: str, *, is_fatal: bool) -> Fault:
    what = _("%(file)s line %(line)s: %(why)s", file=file, line=line.line, why=line.why)
    hint = _hint(variable, NotAllowedError()) if variable else Words("")
    return Fault(name=variable.name if variable else "", what=what, hint=hint, is_fatal=is_fatal)


def unknown(name: str, place: str, meant: str) -> Fault:
    """Of a name that looks like one of ours, and that nothing reads."""
    what = _("%(where)s: no part of Vigil reads a variable of this name.", where=where(name, place))
    hint = _("Did you mean %(name)s?", name=meant) if meant else _("%(page)s lists all.", page=PAGE)
    return Fault(name=name, what=what, hint=hint, is_doubt=True)


def without_effect(name: str, place: str) -> Fault:
    what = _("%(where)s has no effect there.", where=where(name, place))
    return Fault(
        name=name, what=what, hint=_("Set it in the environment of the process."), is_doubt=True
    )


def where(name: str, place: str) -> str:
    """`.env line 7 (EMAIL_SMTP_PORT)`, or the name alone for the environment of the process."""
    return f"{place} ({name})" if place else name


def _hint(variable: Variable, error: NotAllowedError) -> Words:
    if variable.wrong is Wrong.REFUSED_UNLESS_DEBUG:
        return KEY_HINT
    example = f"{variable.name}={variable.shown_example}"
    if error.instead and not variable.is_secret:
        return _(
            "Write it as in %(example)s. Did you mean %(instead)s?",
            example=example,
            instead=error.instead,
        )
    return _("Write it as in %(example)s.", example=example)
