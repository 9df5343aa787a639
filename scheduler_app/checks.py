"""System checks of `VIGIL_SCHEDULER` and of what the scheduler needs of the site.

`unknown_keys` and `wrong_kinds` serve the apps above for their own settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register
from django.db import DatabaseError, connection
from django.utils import timezone

from scheduler_app import (
    app_settings,
    calendar_days,
    conf,
    jobfile,
    proxies,
    verify,
    verify_schedule,
)
from scheduler_app.errors import JobFileError
from scheduler_app.verify_report import Finding

TAG = "vigil"
BEATS_IN_A_LEASE = 3
"""A node starts nothing past two thirds of its lease: one beat may fail, and the next still comes in time."""


class SettingError(Error):
    """A setting that is not right. What is right of the settings is in force: nothing that Vigil runs is stopped."""


class SettingWarning(Warning):
    """A setting that is left out, as nothing reads it or it cannot be used."""


def findings_of(check: Callable[[], Iterable[CheckMessage]]) -> Callable[[datetime], list[Finding]]:
    """The faults in settings that the system check `check` finds, as findings of `verify_jobs`."""
    return lambda now: [
        Finding(kind="settings", text=one.msg, hint=one.hint or "")
        for one in check()
        if isinstance(one, SettingError | SettingWarning)
    ]


@register(TAG)
def check_settings(**_: object) -> list[CheckMessage]:
    raw, faults = read("VIGIL_SCHEDULER", conf.raw, "vigil_scheduler.E002")
    faults += unknown_keys("VIGIL_SCHEDULER", raw, conf.KEYS, "vigil_scheduler.E001")
    faults += wrong_kinds("VIGIL_SCHEDULER", raw, conf.SchedulerConf, "vigil_scheduler.E002")
    faults += _heartbeat_faults(raw)
    if not faults:
        faults += _lease_faults(conf.get())
    return faults


@register(TAG)
def check_proxies(**_: object) -> list[CheckMessage]:
    return [
        SettingWarning(one.text, hint=one.hint, id="vigil_scheduler.W020")
        for one in proxies.problems()
    ]


@register(TAG)
def check_site(**_: object) -> list[CheckMessage]:
    if timezone.is_naive(timezone.now()):
        text = "USE_TZ is off: times without a zone cannot be compared with the database's clock."
        return [Error(text, hint="Set USE_TZ = True.", id="vigil_scheduler.E003")]
    return []


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


def _heartbeat_faults(raw: Mapping[str, Any]) -> list[CheckMessage]:
    """Does not show the address, which is a secret."""
    url = raw.get("HEARTBEAT_URL", "")
    if not url or not isinstance(url, str) or re.match(r"https?://[^/?#\s]", url):
        return []
    text = "VIGIL_SCHEDULER['HEARTBEAT_URL'] is no web address."
    hint = "Set HEARTBEAT_URL to the ping URL of a check, like https://hc-ping.com/UUID."
    return [SettingError(text, hint=hint, id="vigil_scheduler.E002")]


def _lease_faults(settings: conf.SchedulerConf) -> list[CheckMessage]:
    least = settings.BEAT_S * BEATS_IN_A_LEASE
    if least <= settings.LEASE_S:
        return []
    text = (
        f"VIGIL_SCHEDULER['LEASE_S'] is {settings.LEASE_S:g}, too short for BEAT_S {settings.BEAT_S:g}: "
        "one late heartbeat would end all runs of a node."
    )
    return [
        SettingError(text, hint=f"Set LEASE_S to {least:g} or more.", id="vigil_scheduler.E002")
    ]


def read(name: str, raw: Any, code: str) -> tuple[dict[str, Any], list[CheckMessage]]:
    """What the setting `name` holds, by way of the app's `conf.raw`; empty, with an error, when it is no dict."""
    try:
        return raw(), []
    except (TypeError, ValueError):
        return {}, [
            SettingError(f"{name} is not a dict.", hint=f"Write {name} = {{...}}.", id=code)
        ]


def unknown_keys(
    name: str, raw: Mapping[str, Any], known: Collection[str], code: str
) -> list[CheckMessage]:
    """One error for each key of the setting `name` that nothing reads."""
    return [_error(one, code) for one in app_settings.unknown(name, raw, known)]


def wrong_kinds(name: str, raw: Mapping[str, Any], declared: Any, code: str) -> list[CheckMessage]:
    """One error for each value that is not what the dataclass `declared` says."""
    return [_error(one, code) for one in app_settings.wrong(name, raw, declared)]


def _error(fault: app_settings.SettingFault, code: str) -> SettingError:
    return SettingError(fault.text, hint=fault.hint, id=code)


verify.register_check("scheduler_app.settings", findings_of(check_settings))
verify.register_check("scheduler_app.proxies", findings_of(check_proxies))
