"""From the names in a row to a function or a management command, by way of an allow-list (promise P7)."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.utils.translation import gettext as _

from scheduler_app import conf, jobfile, management_callable
from scheduler_app.closest import suggestion
from scheduler_app.declarations import MANAGEMENT
from scheduler_app.errors import CallableError, ForbiddenCallableError, JobFileError

Names = frozenset[tuple[str, str]]
Function = Callable[..., Any]

_last_good: dict[str, Names] = {}


def declared() -> Names:
    """(module, callable) of every entry of the job file; of its last good version while it is broken."""
    name = conf.get().JOB_FILE
    try:
        _last_good[name] = frozenset((j.module, j.callable) for j in jobfile.load(name).jobs)
    except JobFileError:
        _last_good.setdefault(name, frozenset())
    return _last_good[name]


def resolve(module: str, name: str) -> Function:
    """The function `name` of `module`, or the command that a `name` like "management:clearsessions" means.

    Raises ForbiddenCallableError before anything is imported when neither the job file nor SCHEDULER_ALLOWED_MODULES
    names it, and CallableError when its module does not import or has no such function.
    """
    check_allowed(module, name)
    if name.startswith(MANAGEMENT):
        return management_callable.named(name.removeprefix(MANAGEMENT))
    return _function(module, name)


def _function(module: str, name: str) -> Function:
    try:
        found = import_module(module)
    except (Exception, SystemExit) as error:  # a module may do anything when it is imported
        facts = {"module": module, "error": f"{type(error).__name__}: {error}"}
        raise CallableError(_("%(module)s cannot be imported: %(error)s") % facts) from error
    function = getattr(found, name, None)
    if function is None:
        text = _("%(module)s has no %(name)r.") % {"module": module, "name": name}
        raise CallableError(f"{text} {suggestion(name, vars(found))}".strip())
    if not callable(function):
        facts = {"module": module, "name": name, "kind": type(function).__name__}
        raise CallableError(_("%(module)s.%(name)s is a %(kind)s, not a function.") % facts)
    return function  # type: ignore[no-any-return]


def runs_nothing(function: Function) -> bool:
    """Whether a call returns a context manager, which nothing enters, so that the body never runs.

    Generators, coroutines and other awaitables that a call returns are run to their end.
    """
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__code__", None) in _MAKE_CONTEXT_MANAGERS


_DECORATORS: tuple[Any, ...] = (contextlib.contextmanager, contextlib.asynccontextmanager)
_MAKE_CONTEXT_MANAGERS = tuple(decorator(_function).__code__ for decorator in _DECORATORS)
"""The code that all functions with these decorators share."""


def check_allowed(module: str, name: str) -> None:
    """Raises ForbiddenCallableError when neither the job file nor SCHEDULER_ALLOWED_MODULES names it."""
    is_command = name.startswith(MANAGEMENT)
    entry = name if is_command else module
    if not _is_allowed(module, name, entry):
        text = _(
            "%(callable)s is not named by the job file, nor is %(entry)s in SCHEDULER_ALLOWED_MODULES."
        )
        whole = name if is_command else f"{module}.{name}"
        raise ForbiddenCallableError(text % {"callable": whole, "entry": entry})


def trust(module: str, name: str) -> None:
    """In a process that was made for this one call: who asked for it has checked it (`check_allowed`)."""
    file = conf.get().JOB_FILE
    _last_good[file] = _last_good.get(file, frozenset()) | {(module, name)}


def _is_allowed(module: str, name: str, entry: str) -> bool:
    """`entry` is what SCHEDULER_ALLOWED_MODULES would have to hold."""
    known = _last_good.get(conf.get().JOB_FILE, frozenset())
    if (module, name) in known or entry in conf.get().ALLOWED_MODULES:
        return True
    return (module, name) in declared()
