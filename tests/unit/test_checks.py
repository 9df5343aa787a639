from __future__ import annotations

from datetime import date

import pytest
import time_machine
from django.conf import settings
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import ProgrammingError, connection, connections
from django.test import override_settings

from notifications_app import conf, queues
from notifications_app.channels import registry
from notifications_app.channels.apprise import service
from scheduler_app import calendar_days
from scheduler_app.connections import CLIENT_OPTIONS
from scheduler_app.models import CalendarDay
from tests.factories import declaration

BACKEND = type(connections["default"])
EMAIL = {"ENABLED": True, "SMTP_SERVER": "", "FROM": ""}
WECHAT = {"ENABLED": True, "WEBHOOK_URL": "https://example.com/not-a-robot"}

FAULTS = [
    ("VIGIL_SCHEDULER", {"THREAD": 4}, "vigil_scheduler.E001", "Did you mean THREADS?"),
    ("VIGIL_SCHEDULER", {"zzz": 4}, "vigil_scheduler.E001", "Keys: ALLOWED_MODULES"),
    ("VIGIL_SCHEDULER", {"EXECUTOR": "cellery"}, "vigil_scheduler.E002", "local or celery"),
    ("VIGIL_SCHEDULER", {"EXECUTOR": "threads"}, "vigil_scheduler.E002", "to local"),
    ("VIGIL_SCHEDULER", {"LEASE_S": 3, "BEAT_S": 2}, "vigil_scheduler.E002", "LEASE_S to 6"),
    ("VIGIL_SCHEDULER", {"THREADS": 0}, "vigil_scheduler.E002", "The default is 16"),
    ("VIGIL_SCHEDULER", {"THREADS": 2.5}, "vigil_scheduler.E002", "The default is 16"),
    ("VIGIL_SCHEDULER", {"BEAT_S": "2"}, "vigil_scheduler.E002", "The default is 2.0"),
    ("VIGIL_SCHEDULER", {"ALLOWED_MODULES": "shop"}, "vigil_scheduler.E002", "The default is ()"),
    ("VIGIL_SCHEDULER", {"JOB_FILE": None}, "vigil_scheduler.E002", "The default is ''"),
    ("VIGIL_SCHEDULER", {"HEARTBEAT_URL": "hc-ping.com/x"}, "vigil_scheduler.E002", "hc-ping.com"),
    ("VIGIL_SCHEDULER", 5, "vigil_scheduler.E002", "VIGIL_SCHEDULER = {...}"),
    ("USE_TZ", False, "vigil_scheduler.E003", "USE_TZ = True"),
    ("VIGIL_ALERTS", {"REPEAT": 5}, "vigil_alerts.E001", "Did you mean REPEAT_S?"),
    ("VIGIL_ALERTS", {"REPEAT_S": True}, "vigil_alerts.E002", "The default is 14400.0"),
    ("VIGIL_NOTIFICATIONS", {"QUEU": "x"}, "vigil_notifications.E001", "Did you mean QUEUE?"),
    ("VIGIL_NOTIFICATIONS", {"SMS": {"KEY": 1}}, "vigil_notifications.E001", "Keys: ACCESS_KEY_ID"),
    (
        "VIGIL_NOTIFICATIONS",
        {"PRIVATE_NETWORKS": ["10.2.0.0/99"]},
        "vigil_notifications.E002",
        "fd00",
    ),
    ("VIGIL_NOTIFICATIONS", {"PRIVATE_NETWORKS": "10.2.0.0/16"}, "vigil_notifications.E002", "()"),
    (
        "VIGIL_NOTIFICATIONS",
        {"SMS": {"RATE_LIMIT": "fast"}},
        "vigil_notifications.E002",
        "20/minute",
    ),
    ("VIGIL_NOTIFICATIONS", {"APPRISE": ["x"]}, "vigil_notifications.E002", "The default is {}"),
    ("VIGIL_NOTIFICATIONS", {"QUEUE": "kafka"}, "vigil_notifications.E002", "auto, redis"),
    ("VIGIL_NOTIFICATIONS", {"QUEUE": "kafka"}, "vigil_notifications.E002", "auto, redis"),
    ("VIGIL_NOTIFICATIONS", {"QUEUE": "redis"}, "vigil_notifications.E002", "Set REDIS_URL"),
    ("VIGIL_NOTIFICATIONS", {"EMAIL": "on"}, "vigil_notifications.E002", "The default is {}"),
    ("VIGIL_NOTIFICATIONS", {"IMMEDIATE_FROM": "BAD"}, "vigil_notifications.E002", "INFO, WARNING"),
    ("VIGIL_NOTIFICATIONS", {"EXPIRY_S": {"INFO": 1}}, "vigil_notifications.E002", "CRITICAL"),
    ("VIGIL_NOTIFICATIONS", {"EMAIL": EMAIL}, "vigil_notifications.W001", "EMAIL_ENABLED=false"),
    ("VIGIL_NOTIFICATIONS", {"WECHAT": WECHAT}, "vigil_notifications.W001", "WECHAT_ENABLED=false"),
    (
        "VIGIL_NOTIFICATIONS",
        {"DEFAULT_RECIPIENTS": "admin"},
        "vigil_notifications.E002",
        "The default is ()",
    ),
]


def findings(*, deploy: bool = False) -> dict[str, str]:
    found = run_checks(tags=["vigil"], include_deployment_checks=deploy)
    return {str(one.id): f"{one.msg} {one.hint}" for one in found}


@pytest.mark.parametrize(("setting", "value", "code", "hint"), FAULTS)
def test_wrong_setting_is_told_with_a_hint(setting, value, code, hint):
    before = findings()
    with override_settings(**{setting: value}):
        found = findings()
    assert code not in before
    assert list(found) == [code]
    assert hint in found[code]


def test_site_as_it_is_shipped_has_no_findings():
    assert findings() == {}


def test_message_shows_no_secret():
    value = {"EMAIL": "password=hunter2-hunter2"}
    with override_settings(VIGIL_NOTIFICATIONS=value):
        assert "hunter2" not in findings()["vigil_notifications.E002"]


def test_deployment_without_metrics_token_is_told():
    assert "vigil_scheduler.W002" not in findings(deploy=True)
    with override_settings(METRICS_TOKEN=""):
        assert "METRICS_TOKEN" in findings(deploy=True)["vigil_scheduler.W002"]
        assert "vigil_scheduler.W002" not in findings()


def test_deployment_on_sqlite_is_told():
    told = "vigil_scheduler.W001" in findings(deploy=True)
    assert told == (connection.vendor == "sqlite")


@pytest.mark.parametrize("channel", [kind.name for kind in registry.BUILT_IN])
def test_options_that_the_site_sets_are_known_to_the_channel(channel):
    known = registry.kind_of(channel).option_names
    assert known is not None
    assert channel in conf.KEYS
    assert set(settings.VIGIL_NOTIFICATIONS.get(channel, {})) <= known


@pytest.fixture
def file_with_a_calendar(tmp_path, settings, monkeypatch):
    jobs = [declaration("a", calendar="workdays:CN"), declaration("b", calendar="workdays:DE")]
    (tmp_path / "checked_jobs.py").write_text(f"JOBS = {jobs!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "JOB_FILE": "checked_jobs"}
    return tmp_path / "checked_jobs.py"


@pytest.mark.django_db
def test_deployment_with_a_calendar_that_is_not_published_is_told(file_with_a_calendar):
    with time_machine.travel("2089-03-01T00:00:00Z", tick=False):
        told = findings(deploy=True)["vigil_scheduler.W003"]
        assert "workdays:CN: the days off of 2089 are not known" in told
        CalendarDay.objects.create(calendar="CN", day=date(2089, 1, 3), is_open=True)
        assert "vigil_scheduler.W003" not in findings(deploy=True)
        assert "vigil_scheduler.W003" not in findings()


@pytest.mark.django_db
def test_calendars_are_checked_without_tables_as_well(file_with_a_calendar, monkeypatch):
    def fail(used):
        raise ProgrammingError("no such table")

    monkeypatch.setattr(calendar_days, "entered_for", fail)
    with time_machine.travel("2089-03-01T00:00:00Z", tick=False):
        assert "2089" in findings(deploy=True)["vigil_scheduler.W003"]


def test_file_that_cannot_be_read_is_told_elsewhere(file_with_a_calendar):
    file_with_a_calendar.write_text("JOBS = 5")
    assert "vigil_scheduler.W003" not in findings(deploy=True)


@pytest.mark.parametrize(
    ("app", "told"),
    [("", "names no Celery app"), ("shop.celery.app", "No module named 'shop'")],
)
def test_executor_celery_without_a_celery_app_is_told(app, told):
    value = {**settings.VIGIL_SCHEDULER, "EXECUTOR": "celery", "CELERY_APP": app}
    with override_settings(VIGIL_SCHEDULER=value):
        found = findings()
    assert list(found) == ["vigil_scheduler.E010"]
    assert told in found["vigil_scheduler.E010"]
    assert "pip install 'vigil[celery]', set CELERY_APP" in found["vigil_scheduler.E010"]


def test_scheduler_without_django_apscheduler_is_told():
    apps = [name for name in settings.INSTALLED_APPS if name != "django_apscheduler"]
    with override_settings(INSTALLED_APPS=apps):
        assert "Add 'django_apscheduler'" in findings()["vigil_scheduler.E011"]


@pytest.fixture
def job_file(tmp_path, settings, monkeypatch):
    """`job_file(text)` makes `text` the site's job file."""
    monkeypatch.syspath_prepend(tmp_path)
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "JOB_FILE": "checked_jobs"}
    return (tmp_path / "checked_jobs.py").write_text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("JOBS = [", "cannot be read"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("JOBS = {}", "JOBS is not a list"),
        ("JOBS = [{'id': 'a'}]", "name is missing. Every job has one. (6 more)"),
        ("import no_such_module_of_ours", "No module named"),
    ],
)
def test_job_file_that_cannot_be_used_is_told(job_file, text, told):
    job_file(text)
    assert told in findings()["vigil_scheduler.W010"]


def test_job_file_that_prints_leaves_stdout_alone(job_file, capsys):
    job_file("print('hello from the job file')\nJOBS = []")
    assert findings() == {}
    assert capsys.readouterr().out == ""


def test_job_file_without_the_system_jobs_is_told(job_file):
    job_file(f"JOBS = {[declaration('a')]!r}")
    found = findings()
    assert set(found) == {"vigil_scheduler.W011", "vigil_notifications.W011"}
    assert "*scheduler_app.system_jobs.JOBS" in found["vigil_scheduler.W011"]
    assert "notifications_app.jobs.sweep_notifications" in found["vigil_notifications.W011"]


def test_the_command_does_as_well_as_the_function(job_file):
    prune = declaration("prune", callable="management:prune_history")
    del prune["module"]
    job_file(f"from notifications_app.system_jobs import JOBS\nJOBS = [*JOBS, {prune!r}]")
    assert findings() == {}


def test_site_without_a_job_file_is_told_on_deployment_only():
    with override_settings(VIGIL_SCHEDULER={}):
        assert findings() == {}
        assert "JOB_FILE" in findings(deploy=True)["vigil_scheduler.W010"]


def test_sqlite_without_immediate_transactions_is_told(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
    assert ("vigil_scheduler.W012" in findings()) == (connection.vendor == "sqlite")


@pytest.mark.parametrize(
    "backend", ["no_such_package.RedisCache", "django.core.cache.backends.redis.RedisCache"]
)
@pytest.mark.parametrize("queue", ["auto", "redis"])
def test_queue_on_redis_without_django_redis_is_told(backend, queue):
    caches = {**settings.CACHES, "vigil_queue": {"BACKEND": backend, "LOCATION": "redis://x"}}
    value = {**settings.VIGIL_NOTIFICATIONS, "QUEUE": queue}
    with override_settings(CACHES=caches, VIGIL_NOTIFICATIONS=value):
        assert "pip install 'vigil[redis]'" in findings()["vigil_notifications.W010"]
        assert queues.mode() == "database"


def test_channel_apprise_without_its_package_is_told(monkeypatch):
    monkeypatch.setattr(service, "_is_installed", lambda: False)
    options = {"ENABLED": True, "URL": "json://example.com"}
    with override_settings(VIGIL_NOTIFICATIONS={"APPRISE": options}):
        assert "pip install 'vigil[apprise]'" in findings()["vigil_notifications.W001"]


@pytest.mark.parametrize("vendor", ["mysql", "oracle", "microsoft"])
def test_database_that_is_not_supported_is_an_error_of_each_app(monkeypatch, vendor):
    """There is no driver for MariaDB here, so its backend is played."""
    monkeypatch.setattr(BACKEND, "vendor", vendor)
    monkeypatch.setattr(BACKEND, "display_name", "MariaDB", raising=False)
    found = [one for one in run_checks(tags=["vigil"]) if "not supported" in one.msg]
    apps = ("vigil_scheduler.E004", "vigil_alerts.E003", "vigil_notifications.E003")
    assert sorted(one.id or "" for one in found) == sorted(apps)
    assert all("MariaDB" in one.msg and "PostgreSQL" in (one.hint or "") for one in found)


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["runscheduler", "notification_worker", "sync_jobs", "migrate"])
def test_command_does_nothing_on_a_database_that_is_not_supported(monkeypatch, command):
    monkeypatch.setattr(BACKEND, "vendor", "mysql")
    with pytest.raises(SystemCheckError, match=r"vigil_scheduler\.E004"):
        call_command(command, skip_checks=False)


def test_postgresql_without_time_limits_for_the_network_is_a_warning(monkeypatch):
    monkeypatch.setattr(BACKEND, "vendor", "postgresql")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"connect_timeout": 3})
    found = [
        one
        for one in run_checks(include_deployment_checks=True)
        if one.id == "vigil_scheduler.W004"
    ]
    assert ["tcp_user_timeout" in (one.hint or "") for one in found] == [True]
    assert "connect_timeout" not in (found[0].hint or "")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", dict(CLIENT_OPTIONS))
    assert "vigil_scheduler.W004" not in str(run_checks(include_deployment_checks=True))
