"""Django's management commands as what a job calls: `"callable": "management:clearsessions"`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from scheduler_app.closest import suggestion
from scheduler_app.declarations import MANAGEMENT
from scheduler_app.errors import CallableError, ParameterError

NOT_A_PARAMETER = frozenset(
    (
        "help", "version", "settings", "pythonpath", "traceback", "no_color", "force_color",
        "skip_checks",
    )
)  # fmt: skip
"""Options of every command that mean nothing inside a process that runs already."""
KINDS: Mapping[Any, str] = {int: "integer", float: "number", str: "string", None: "string"}


@dataclass(frozen=True, slots=True)
class ManagementCallable:
    """The command `name`: positional arguments as on its command line, named ones by the names of its options.

    Nobody is there to answer questions: a command that could ask is told not to, unless the job says otherwise.
    """

    name: str
    command_class: type[BaseCommand]

    def __str__(self) -> str:
        return f"{MANAGEMENT}{self.name}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return call_command(self.command_class(), *args, **self._quietly(kwargs))

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raises ParameterError when the command would not start with these."""
        command = self.command_class()
        command.execute = lambda *_args, **_kwargs: ""  # type: ignore[method-assign]
        try:
            call_command(command, *args, **self._quietly(kwargs))
        except (CommandError, TypeError, ValueError, SystemExit) as error:
            text = " ".join(str(error).removeprefix("Error: ").split()).rstrip(".")
            facts = {"command": str(self), "error": text}
            raise ParameterError(_("%(command)s: %(error)s.") % facts) from error

    def schema(self) -> dict[str, Any]:
        """Its options as a JSON Schema. Positional arguments are not among them: they go into `args`."""
        actions = [
            action
            for action in self._actions()
            if action.option_strings and action.help != argparse.SUPPRESS
        ]
        return {
            "type": "object",
            "properties": {action.dest: _schema_of(action) for action in actions},
            "required": [action.dest for action in actions if action.required],
            "additionalProperties": False,
        }

    def _actions(self) -> Iterator[argparse.Action]:
        parser = self.command_class().create_parser("", self.name)
        return (action for action in parser._actions if action.dest not in NOT_A_PARAMETER)

    def _quietly(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        asks = any(action.dest == "interactive" for action in self._actions())
        return {"interactive": False, **kwargs} if asks else dict(kwargs)


def named(name: str) -> ManagementCallable:
    """The command of this name. Raises CallableError when there is none, or when it cannot be imported."""
    app = get_commands().get(name)
    if app is None:
        text = _("There is no management command %(name)r.") % {"name": name}
        raise CallableError(f"{text} {suggestion(name, get_commands())}".strip())
    try:
        loaded = load_command_class(app, name)
    except (Exception, SystemExit) as error:  # a module may do anything when it is imported
        facts = {"name": name, "error": f"{type(error).__name__}: {error}"}
        text = _("The management command %(name)s cannot be loaded: %(error)s") % facts
        raise CallableError(text) from error
    return ManagementCallable(name, type(loaded))


def _schema_of(action: argparse.Action) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if action.help and "%(" not in action.help:
        schema["description"] = action.help.replace("%%", "%")
    if action.choices is not None:
        schema["enum"] = list(action.choices)
    elif isinstance(action.const, bool) and action.nargs == 0:
        schema["type"] = "boolean"
    elif action.nargs is None and action.type in KINDS:
        schema["type"] = KINDS[action.type]
    if isinstance(action.default, str | int | float):
        schema["default"] = action.default
    return schema
