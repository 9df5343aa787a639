"""System checks of `VIGIL_SCHEDULER` and of what the scheduler needs of the site.

`unknown_keys` and `wrong_kinds` serve the apps above for their own settings.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register
from django.db import DatabaseError, connection
from django.utils import timezone

from scheduler_app import calendar_days, conf, jobfile, verify_schedule
from scheduler_app.errors import JobFileError
from scheduler_app.texts import cut_line, storable

TAG = "vigil"
BEATS_IN_A_LEASE = 3
"""A node starts nothing past two thirds of its lease: one beat may fail, and the next still comes in time."""


@register(TAG)
def check_settings(**_: object) -> list[CheckMessage]:
    raw, faults = read("VIGIL_SCHEDULER", conf.raw, "vigil_scheduler.E002")
    faults += unknown_keys("VIGIL_SCHEDULER", raw, conf.KEYS, "vigil_scheduler.E001")
    faults += wrong_kinds("VIGIL_SCHEDULER", raw, conf.SchedulerConf, "vigil_scheduler.E002")
    faults += _executor_faults(raw)
    faults += _heartbeat_faults(raw)
    if not faults:
        faults += _lease_faults(conf.get())
    return faults


@register(TAG)
def check_site(**_: object) -> list[CheckMessage]:
    if timezone.is_naive(timezone.now()):
        text = "USE_TZ is off: times without a zone cannot be compared with the database's clock."
        return [Error(text, hint="Set USE_TZ = True.", id="vigil_scheduler.E003")]
    return []


@register(TAG)
def check_database_file(**_: object) -> list[CheckMessage]:
    """A SQLite database holds password hashes and sessions."""
    path = Path(str(connection.settings_dict["NAME"]))
    if connection.vendor != "sqlite" or not path.is_file() or not path.stat().st_mode & 0o077:
        return []
    text = f"Other users of this machine can open the database {path}."
    hint = f"chmod 600 {path} (and the files beside it that begin with its name)."
    return [Warning(text, hint=hint, id="vigil_scheduler.W009")]


@register(TAG, deploy=True)
def check_deployment(**_: object) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if connection.vendor == "sqlite":
        text = "The database is SQLite: it carries one machine and one scheduler."
        hint = "For several machines set DATABASE_URL to a PostgreSQL."
        found.append(Warning(text, hint=hint, id="vigil_scheduler.W001"))
    if not conf.metrics_token():
        text = "METRICS_TOKEN is empty: Prometheus cannot read the figures."
        hint = "Set METRICS_TOKEN to a long random text, and the same one in Prometheus."
        found.append(Warning(text, hint=hint, id="vigil_scheduler.W002"))
    return found


@register(TAG, deploy=True)
def check_calendars(**_: object) -> list[CheckMessage]:
    """Of the calendars that the job file names; `verify_jobs` has those of the database as well."""
    try:
        jobs = jobfile.load(conf.get().JOB_FILE).jobs
    except JobFileError:  # told by whoever reads the file
        return []
    try:
        days = calendar_days.entered_for(job.calendar for job in jobs)
    except DatabaseError:  # there may be none yet
        days = {}
    doubts = verify_schedule.calendar_findings(jobs, timezone.now(), days)
    return [Warning(one.text, hint=one.hint, id="vigil_scheduler.W003") for one in doubts]


def _executor_faults(raw: Mapping[str, Any]) -> list[CheckMessage]:
    executor = raw.get("EXECUTOR", "local")
    if executor in ("local", "celery") or not isinstance(executor, str):
        return []
    text = f"VIGIL_SCHEDULER['EXECUTOR'] is {executor!r}, which is no executor."
    hint = "Set SCHEDULER_EXECUTOR to local or celery."
    return [Error(text, hint=hint, id="vigil_scheduler.E002")]


def _heartbeat_faults(raw: Mapping[str, Any]) -> list[CheckMessage]:
    """Does not show the address, which is a secret."""
    url = raw.get("HEARTBEAT_URL", "")
    if not url or not isinstance(url, str) or re.match(r"https?://[^/?#\s]", url):
        return []
    text = "VIGIL_SCHEDULER['HEARTBEAT_URL'] is no web address."
    hint = "Set HEARTBEAT_URL to the ping URL of a check, like https://hc-ping.com/UUID."
    return [Error(text, hint=hint, id="vigil_scheduler.E002")]


def _lease_faults(settings: conf.SchedulerConf) -> list[CheckMessage]:
    least = settings.BEAT_S * BEATS_IN_A_LEASE
    if least <= settings.LEASE_S:
        return []
    text = (
        f"VIGIL_SCHEDULER['LEASE_S'] is {settings.LEASE_S:g}, too short for BEAT_S {settings.BEAT_S:g}: "
        "one late heartbeat would end all runs of a node."
    )
    return [Error(text, hint=f"Set LEASE_S to {least:g} or more.", id="vigil_scheduler.E002")]


def read(name: str, raw: Any, code: str) -> tuple[dict[str, Any], list[CheckMessage]]:
    """What the setting `name` holds, by way of the app's `conf.raw`; empty, with an error, when it is no dict."""
    try:
        return raw(), []
    except (TypeError, ValueError):
        return {}, [Error(f"{name} is not a dict.", hint=f"Write {name} = {{...}}.", id=code)]


def unknown_keys(
    name: str, raw: Mapping[str, Any], known: Collection[str], code: str
) -> list[CheckMessage]:
    """One error for each key of the setting `name` that nobody reads."""
    return [
        Error(f"{name} has an unknown key {key!r}.", hint=_closest(key, known), id=code)
        for key in raw
        if key not in known
    ]


def wrong_kinds(name: str, raw: Mapping[str, Any], declared: Any, code: str) -> list[CheckMessage]:
    """One error for each value that is not of the kind of its default in the dataclass `declared`."""
    return list(_wrong_kinds(name, raw, declared, code))


def _wrong_kinds(
    name: str, raw: Mapping[str, Any], declared: Any, code: str
) -> Iterator[CheckMessage]:
    for field in fields(declared):
        if field.name in raw and (wanted := _complaint(_default_of(field), raw[field.name])):
            value = _shown(raw[field.name])
            hint = f"The default is {_shown(_default_of(field))}."
            text = f"{name}['{field.name}'] is {value}; it has to be {wanted}."
            yield Error(text, hint=hint, id=code)


def _default_of(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _complaint(default: Any, value: Any) -> str:
    """What `value` has to be, by its default; "" when it is."""
    if isinstance(default, str):
        return "" if isinstance(value, str) else "text"
    if isinstance(default, tuple):
        return "" if _is_list_of_text(value) else "a list of texts"
    if isinstance(default, Mapping):
        return "" if isinstance(value, Mapping) else "a dict"
    if isinstance(default, int):
        return "" if _is_positive(value, int) else "a whole number above 0"
    return "" if _is_positive(value, int | float) else "a number above 0"


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _is_positive(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and value > 0


def _shown(value: Any) -> str:
    return storable(cut_line(repr(value), 80), 400)


def _closest(key: Any, known: Collection[str]) -> str:
    close = difflib.get_close_matches(str(key).upper(), known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Keys: {', '.join(sorted(known)) or 'none'}."
