"""The arguments of a job and of one run: do they fit the callable, and the schema that the job declares?"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from django.utils.translation import gettext as _

from scheduler_app import callables, params_schema
from scheduler_app.callables import Function
from scheduler_app.errors import CallableError, ForbiddenCallableError, ParameterError
from scheduler_app.management_callable import ManagementCallable
from scheduler_app.models import ScheduledJob

TYPES: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
ANYTHING: Mapping[str, Any] = {"type": "object", "properties": {}}


def check(
    module: str,
    callable: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    schema: Mapping[str, Any],
) -> None:
    """Raises ParameterError when the callable does not take these or the schema does not allow them.

    Raises ForbiddenCallableError and CallableError as `callables.resolve` does.
    """
    function = callables.resolve(module, callable)
    if isinstance(function, ManagementCallable):
        function.check(args, kwargs)
    else:
        _check_signature(function, args, kwargs)
    if schema and (problem := params_schema.problem(schema)):
        raise ParameterError(f"params_schema {problem}.")
    if faults := params_schema.faults(schema, kwargs):
        raise ParameterError("; ".join(faults) + ".")


def known_to(job: ScheduledJob) -> Mapping[str, Any]:
    """A JSON Schema of the named arguments of `job`: the declared one, else what its callable tells of itself."""
    if job.params_schema:
        is_usable = not params_schema.problem(job.params_schema)
        return dict(job.params_schema) if is_usable else ANYTHING
    try:
        function = callables.resolve(job.module, job.callable)
    except (CallableError, ForbiddenCallableError):
        return ANYTHING  # asking for a run tells what is wrong
    if isinstance(function, ManagementCallable):
        return function.schema()
    return _schema_of(function, len(job.args) if isinstance(job.args, list) else 0)


def _check_signature(function: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # built-ins without a signature: only the call itself can tell
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        facts = {
            "function": getattr(function, "__qualname__", function),
            "error": error,
            "known": ", ".join(signature.parameters) or "–",
        }
        raise ParameterError(_("%(function)s: %(error)s. It takes: %(known)s.") % facts) from error


def _schema_of(function: Function, given: int) -> dict[str, Any]:
    """From the signature of `function`, without its first `given` arguments, which are passed by position."""
    try:
        parameters = list(inspect.signature(function).parameters.values())[given:]
    except ValueError:
        return dict(ANYTHING)
    hints = _hints(function)
    named = [one for one in parameters if one.kind in NAMED]
    return {
        "type": "object",
        "properties": {one.name: _property(one, hints.get(one.name)) for one in named},
        "required": [one.name for one in named if one.default is one.empty],
        "additionalProperties": any(one.kind == one.VAR_KEYWORD for one in parameters),
    }


def _hints(function: Function) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except Exception:  # noqa: BLE001 - hints may name what is not there when the program runs
        return {}


def _property(parameter: inspect.Parameter, hint: Any) -> dict[str, Any]:
    found = _typed(hint)
    if isinstance(parameter.default, str | int | float):
        found["default"] = parameter.default
    return found


def _typed(hint: Any) -> dict[str, Any]:
    if isinstance(hint, type) and hint in TYPES:
        return {"type": TYPES[hint]}
    if get_origin(hint) is Literal:
        return {"enum": [one for one in get_args(hint) if isinstance(one, str | int)]}
    if get_origin(hint) in (Union, types.UnionType):
        others = [one for one in get_args(hint) if one is not type(None)]
        if len(others) == 1:
            return _typed(others[0])
    return {}
