"""VIGIL_SCHEDULER, VIGIL_ALERTS and VIGIL_NOTIFICATIONS of any project: read without ever failing."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from alerts_app import conf as alerts
from notifications_app import conf as notifications
from notifications_app.channels import registry
from notifications_app.rate_limits import RateLimit
from scheduler_app import conf as scheduler
from scheduler_app import verify


@pytest.mark.parametrize(
    ("conf", "key", "value", "in_force"),
    [
        (scheduler, "THREADS", "4", 16),
        (scheduler, "THREADS", 4, 4),
        (scheduler, "EXECUTOR", "cellery", "local"),
        (scheduler, "ALLOWED_MODULES", "shop, other", ("shop", "other")),
        (scheduler, "ALLOWED_MODULES", ["shop", 5], ("shop",)),
        (scheduler, "JOB_FILE", None, ""),
        (scheduler, "LEASE_S", float("nan"), 15.0),
        (alerts, "REPEAT_S", "4h", 4 * 3600.0),
        (alerts, "REPEAT_S", True, 4 * 3600.0),
        (notifications, "DEFAULT_RECIPIENTS", "admin", ("admin",)),
        (notifications, "QUEUE", "kafka", "auto"),
        (notifications, "QUEUE", ["redis"], "auto"),
        (notifications, "IMMEDIATE_FROM", "BAD", "WARNING"),
        (notifications, "STORM", "fast", "10/minute"),
        (notifications, "STORM", "", ""),
        (notifications, "PRIVATE_NETWORKS", ["10.2.0.0/99", "10.3.0.0/16"], ("10.3.0.0/16",)),
        (notifications, "EMAIL", "on", {}),
    ],
)
def test_value_in_force(conf, key, value, in_force):
    name = conf.SETTINGS.name
    with override_settings(**{name: {key: value}}):
        assert getattr(conf.get(), key) == in_force


def test_missing_and_wrong_numbers_of_a_dict_are_the_defaults():
    with override_settings(VIGIL_NOTIFICATIONS={"EXPIRY_S": {"INFO": 60, "ERROR": "long"}}):
        expiry = notifications.get().EXPIRY_S
    assert expiry["INFO"] == 60
    assert expiry["ERROR"] == 3 * notifications.DAY_S
    assert set(expiry) == {"INFO", "WARNING", "ERROR", "CRITICAL"}


@pytest.mark.parametrize("value", [5, None, "x", ["THREADS"]])
def test_setting_that_is_no_dict_is_as_if_empty(value):
    with override_settings(VIGIL_SCHEDULER=value, VIGIL_ALERTS=value, VIGIL_NOTIFICATIONS=value):
        assert scheduler.get() == scheduler.SchedulerConf()
        assert alerts.get() == alerts.AlertsConf()
        assert notifications.channel_options("EMAIL") == {}
        registry.names()


@given(st.dictionaries(st.sampled_from(sorted(notifications.KEYS)), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)))  # fmt: skip
def test_no_value_breaks_the_reading(values):
    with override_settings(VIGIL_NOTIFICATIONS=values):
        found = notifications.get()
        assert RateLimit.parse(found.STORM) or not found.STORM
        run_checks(tags=["vigil"])


def test_limit_of_a_channel_that_is_none_is_the_usual_one():
    channel = registry.create("WECHAT", {"RATE_LIMIT": "fast"})
    assert channel.rate_limit == "20/minute"
    assert registry.create("WECHAT", {"RATE_LIMIT": "5/hour"}).rate_limit == "5/hour"


WRONG = {"EXECUTOR": "cellery", "THREAD": 4, "THREADS": "4"}


def test_all_faults_are_reported_at_once_with_what_was_meant():
    with override_settings(VIGIL_SCHEDULER=WRONG, VIGIL_ALERTS={"REPEAT": 5}):
        found = {f"{one.msg} {one.hint}" for one in run_checks(tags=["vigil"])}
    assert len(found) == 4
    assert any("Did you mean celery?" in text for text in found)
    assert any("Did you mean THREADS?" in text for text in found)


@pytest.mark.django_db
def test_faults_are_findings_and_stop_no_command(settings, capsys):
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, **WRONG}
    report = verify.verify(timezone.now())
    assert len([one for one in report.findings if one.kind == "settings"]) == 3
    call_command("export_jobs", skip_checks=False)
    assert "vigil_scheduler.E001" in capsys.readouterr().err
