"""System checks of `VIGIL_SCHEDULER` and of what the scheduler needs of the site.

`unknown_keys` and `wrong_kinds` serve the apps above for their own settings.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from scheduler_app import (
    app_settings,
    calendar_days,
    conf,
    jobfile,
    proxies,
    system_jobs,
    verify,
    verify_schedule,
)
from scheduler_app.connections import CLIENT_OPTIONS
from scheduler_app.declarations import MANAGEMENT, JobDeclaration
from scheduler_app.errors import CeleryAppError, JobFileError
from scheduler_app.executors.doorbell import celery_app
from scheduler_app.masking import mask
from scheduler_app.verify_report import Finding

TAG = "vigil"
DATABASES = ("postgresql", "sqlite")
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
    faults += _celery_faults(raw)
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
    if not apps.is_installed("django_apscheduler"):
        text = "django_apscheduler is not in INSTALLED_APPS: runscheduler cannot start."
        hint = "Add 'django_apscheduler' to INSTALLED_APPS."
        return [Error(text, hint=hint, id="vigil_scheduler.E011")]
    return []


@register(TAG)
def check_sqlite(**_: object) -> list[CheckMessage]:
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor != "sqlite" or options.get("transaction_mode") == "IMMEDIATE":
        return []
    text = "SQLite begins transactions without a write lock: processes meet 'database is locked'."
    hint = "DATABASES['default']['OPTIONS'] = {'transaction_mode': 'IMMEDIATE', 'timeout': 20}"
    return [Warning(text, hint=hint, id="vigil_scheduler.W012")]


@register(TAG)
def check_job_file(**_: object) -> list[CheckMessage]:
    """A job file that cannot be used stops only the scheduler, so it is a warning."""
    try:
        jobs = declared_jobs()
    except JobFileError as error:
        first, *others = (mask(str(fault)) for fault in error.faults)
        text = f"The job file cannot be used. {first}" + (f" ({len(others)} more)" * bool(others))
        hint = "manage.py verify_jobs lists every fault."
        return [Warning(text, hint=hint, id="vigil_scheduler.W010")]
    return missing_jobs(jobs, system_jobs.JOBS, "scheduler_app.system_jobs", "vigil_scheduler.W011")


@register(TAG)
def check_database(**_: object) -> list[CheckMessage]:
    return unsupported_database("vigil_scheduler.E004")


def unsupported_database(code: str) -> list[CheckMessage]:
    """An error for a database that the statements of these apps are not written for."""
    if connection.vendor in DATABASES:
        return []
    name = getattr(connection, "display_name", connection.vendor)
    text = f"The database is {name}, which is not supported: Vigil runs on PostgreSQL and SQLite."
    hint = "Let DATABASES['default'] (DATABASE_URL) name a PostgreSQL, or SQLite for one machine."
    return [Error(text, hint=hint, id=code)]


@register(TAG, deploy=True)
def check_connections(**_: object) -> list[CheckMessage]:
    """PostgreSQL without time limits: a network path that carries nothing holds threads for a quarter of an hour."""
    options = connection.settings_dict.get("OPTIONS", {})
    missing = {name: value for name, value in CLIENT_OPTIONS.items() if name not in options}
    if connection.vendor != "postgresql" or not missing:
        return []
    text = "DATABASES['default']['OPTIONS'] sets no time limit for a network path that is cut off."
    hint = f"Add {missing}."
    return [Warning(text, hint=hint, id="vigil_scheduler.W004")]


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
    if not conf.get().JOB_FILE:
        text = "VIGIL_SCHEDULER names no JOB_FILE: no job runs."
        hint = "Set JOB_FILE to the module with JOBS, like 'shop.jobs'."
        found.append(Warning(text, hint=hint, id="vigil_scheduler.W010"))
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


def _celery_faults(raw: Mapping[str, Any]) -> list[CheckMessage]:
    """Why the Celery app that EXECUTOR needs cannot be used."""
    if raw.get("EXECUTOR") != "celery":
        return []
    try:
        celery_app()
    except CeleryAppError as error:
        text = f"VIGIL_SCHEDULER['EXECUTOR'] is 'celery' and there is no Celery app: {mask(str(error))}"
        hint = (
            "pip install 'vigil[celery]', set CELERY_APP to your Celery app, like 'shop.celery.app', and its broker "
            "(CELERY_BROKER_URL); or set SCHEDULER_EXECUTOR to local."
        )
        return [SettingError(text, hint=hint, id="vigil_scheduler.E010")]
    return []


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


def declared_jobs() -> tuple[JobDeclaration, ...]:
    """The jobs of the job file, none where the settings name no file. Raises JobFileError."""
    raw, _faults = read("VIGIL_SCHEDULER", conf.raw, "")
    name = raw.get("JOB_FILE")
    if not name or not isinstance(name, str):
        return ()
    with contextlib.redirect_stdout(sys.stderr):  # the file may print; stdout is for data
        return jobfile.load(name).jobs


def missing_jobs(
    jobs: Sequence[JobDeclaration], wanted: Iterable[Mapping[str, Any]], module: str, code: str
) -> list[CheckMessage]:
    """A warning for each entry of `wanted` (the JOBS of `module`) whose function none of `jobs` calls."""
    called = {(job.module, job.callable) for job in jobs}
    hint = f"Add it to the job file: JOBS = [*{module}.JOBS, ...], or call the function by a job of your own."
    return [
        Warning(
            f"No job of the job file calls {one['module']}.{one['callable']}: {one['description']}",
            hint=hint,
            id=code,
        )
        for one in wanted
        if jobs and called.isdisjoint(_calls_of(one))
    ]


def _calls_of(entry: Mapping[str, Any]) -> set[tuple[str, str]]:
    """How a job calls this function: itself, or by the command of the same name."""
    name = entry["callable"]
    return {(entry["module"], name), ("", f"{MANAGEMENT}{name}")}


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


verify.register_check("scheduler_app.settings", findings_of(check_settings), offline=True)
verify.register_check("scheduler_app.proxies", findings_of(check_proxies), offline=True)
