"""Each app works with those below it alone, and without the packages that its settings do not ask for."""

from __future__ import annotations

import pytest

from tests.crawler import leads_nowhere
from tests.plain import ALL, Plain

OF_THE_SITE = (
    "decouple", "dj_database_url", "django_filters", "django_prometheus", "drf_spectacular_sidecar", "gunicorn",
    "polib", "prometheus_client", "psutil", "structlog", "whitenoise",
)  # fmt: skip
EXTRAS = ("amqp", "apprise", "celery", "django_redis", "kombu", "psycopg", "redis", "requests")
UNUSED_AT_START = (
    "cron_descriptor",
    "drf_spectacular",
    "holidays",
    "rest_framework",
    "rich",
    "standardwebhooks",
)


@pytest.fixture
def plain(tmp_path):
    return lambda *args, **kwargs: Plain(tmp_path, *args, **kwargs)


@pytest.mark.parametrize(
    "apps", ["scheduler_app", "scheduler_app,alerts_app", ALL, ",".join(reversed(ALL.split(",")))]
)
def test_apps_work_with_those_below_them_and_without_optional_packages(plain, apps):
    project = plain(apps, (*OF_THE_SITE, *EXTRAS))
    assert "no issues" in project.run("django", "check")
    told = project.story()
    assert told["runs"] == {"succeed": "SUCCESS", "fail": "FAILED"}
    assert leads_nowhere(told["pages"]) == {}
    assert len(told["pages"]) > 20
    if "alerts_app" in apps:
        assert any("Fail" in title for title in told["alerts"])
    if "notifications_app" in apps:
        assert ["admin", "SYSTEM", "SENT"] in told["notifications"]


def test_what_is_used_later_is_not_imported_at_start(plain):
    project = plain(hidden=(*OF_THE_SITE, *EXTRAS, *UNUSED_AT_START))
    assert "no issues" in project.run("django", "check")
    project.run("tests.plain_story", "begin")
    project.run("django", "runscheduler", "--once")


@pytest.mark.parametrize(
    ("apps", "missing"),
    [
        ("alerts_app", "alerts_app needs scheduler_app"),
        ("notifications_app,scheduler_app", "notifications_app needs alerts_app"),
        ("notifications_app", "notifications_app needs scheduler_app and alerts_app"),
    ],
)
def test_an_app_without_one_below_it_says_which(plain, apps, missing):
    assert missing in plain(apps).run("django", "check", code=1)


@pytest.mark.parametrize("module", ["tests.no_such_jobs", "no_such_package.jobs"])
def test_a_job_file_that_does_not_exist_is_told_and_stops_only_the_scheduler(plain, module):
    project = plain(VIGIL_TEST_JOB_FILE=module)
    told = project.run("django", "check")
    assert "vigil_scheduler.W010" in told
    assert module.partition(".")[0] in told
    assert "JOB_FILE" in told
    project.run("django", "migrate", "--verbosity", "0")
    project.run("django", "notification_worker", "--drain")
    assert "JOB_FILE" in project.run("django", "runscheduler", code=2)
