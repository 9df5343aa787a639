"""Which zone a time is in: the page's is named with its offset, the schedule has its job's."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission

from notifications_app import preferences
from scheduler_app import capture, zones
from scheduler_app.models import JobRun
from tests import factories
from tests.environment import ROOT
from tests.factories import make_job

pytestmark = pytest.mark.django_db

SHANGHAI, LABEL = "Asia/Shanghai", "Asia/Shanghai (UTC+08:00)"
LOGGED = datetime(2026, 12, 1, 23, 51, 0, 94_000, tzinfo=UTC)
PAGES = ("/", "/jobs/", "/jobs/nightly/", "/runs/", "/alerts/", "/nodes/", "/channels/")


def schedule_of(html: str) -> str:
    return re.search(r"<code>0 9 5 3 \*</code> · ([^<]*)</p>", html)[1]


@pytest.mark.parametrize(
    ("job_zone", "reader_zone", "label", "there"),
    [
        (SHANGHAI, "UTC", LABEL, "= 03-05 09:00 Asia/Shanghai"),
        ("UTC", SHANGHAI, "UTC", "= 03-05 09:00 UTC"),
        (SHANGHAI, SHANGHAI, LABEL, ""),
        (
            "America/New_York",
            "Asia/Kolkata",
            "America/New_York (UTC-05:00)",
            "= 03-05 09:00 America/New_York",
        ),
        ("", SHANGHAI, "UTC", "= 03-05 09:00 UTC"),
    ],
)
def test_a_schedule_is_in_its_jobs_zone_with_the_readers_time_beside_it(
    as_olga, olga, job_zone, reader_zone, label, there
):
    make_job("nightly", timezone=job_zone, cron="0 9 5 3 *")
    preferences.save(olga, {"timezone": reader_zone})
    html = as_olga.get("/jobs/nightly/").content.decode()
    assert schedule_of(html) == label
    times = html[html.index('class="vg-times"') :]
    first = times[: times.index("</li>")]
    assert (there in first) if there else ("= " not in first.partition("</time>")[2])


@pytest.mark.parametrize("address", PAGES)
def test_every_page_names_its_one_zone_with_the_offset(as_olga, olga, failed_run, address):
    olga.user_permissions.add(Permission.objects.get(codename="view_node"))
    preferences.save(olga, {"timezone": SHANGHAI})
    html = as_olga.get(address).content.decode()
    assert f"Times in {LABEL}" in html
    assert f">{LABEL}</span>" in html


def test_the_admin_is_in_the_readers_zone_and_names_it(client, failed_run):
    boss = factories.make_user("boss", is_staff=True, is_superuser=True)
    preferences.save(boss, {"timezone": SHANGHAI})
    JobRun.objects.update(log="2026-12-01T23:51:00.094Z INFO jobs: read 3 rows")
    client.force_login(boss)
    for address in ("/admin/", "/admin/scheduler_app/scheduledjob/"):
        assert f"Times in {LABEL}" in client.get(address).content.decode()
    html = client.get(f"/admin/scheduler_app/jobrun/{failed_run.pk}/change/").content.decode()
    assert "2026-12-02 07:51:00.094+08:00 INFO" in html


def test_the_log_of_a_run_is_in_the_zone_of_its_page(as_olga, olga, failed_run):
    preferences.save(olga, {"timezone": SHANGHAI})
    handler = capture.RunLogHandler()
    record = logging.makeLogRecord({"msg": "read 3 rows", "levelname": "INFO", "name": "jobs"})
    record.created, record.msecs = LOGGED.timestamp(), 94.0
    line = handler.format(record)
    assert line == "2026-12-01T23:51:00.094Z INFO jobs: read 3 rows"
    own = "2026-13-01T23:51:00.094Z is no time\nat 2026-12-01T23:51:00.094Z the job said"
    JobRun.objects.update(log=f"{line}\n{own}")
    html = as_olga.get(f"/runs/{failed_run.pk}/").content.decode()
    assert "2026-12-02 07:51:00.094+08:00 INFO jobs: read 3 rows" in html
    assert own in html


@pytest.mark.parametrize(
    ("name", "at", "label"),
    [
        ("UTC", datetime(2026, 1, 1, tzinfo=UTC), "UTC"),
        ("Asia/Kolkata", datetime(2026, 1, 1, tzinfo=UTC), "Asia/Kolkata (UTC+05:30)"),
        ("America/New_York", datetime(2026, 1, 1, tzinfo=UTC), "America/New_York (UTC-05:00)"),
        ("America/New_York", datetime(2026, 7, 1, tzinfo=UTC), "America/New_York (UTC-04:00)"),
        ("America/St_Johns", datetime(2026, 1, 1, tzinfo=UTC), "America/St_Johns (UTC-03:30)"),
        ("Europe/London", datetime(2026, 1, 1, tzinfo=UTC), "Europe/London (UTC)"),
    ],
)
def test_a_zone_is_named_with_its_offset(name, at, label):
    assert zones.label(ZoneInfo(name), at) == label


def test_no_name_of_the_base_template_can_shadow_one_of_a_page():
    html = (ROOT / "templates" / "base.html").read_text()
    names = set(re.findall(r" as (\w+) ?%}", html))
    assert names
    assert {name for name in names if not name.startswith("site_")} == set()
