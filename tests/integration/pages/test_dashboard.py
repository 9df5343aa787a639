from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from notifications_app import channel_states
from notifications_app.models import AlertNotification, ChannelState
from project.dashboard import FAILURE_THRESHOLD, hour_bars
from scheduler_app import mirror, nodes
from scheduler_app.clock import db_now
from scheduler_app.models import Node, RunTally
from scheduler_app.pages.heat_map import heat_map
from scheduler_app.rollups import hour_of
from scheduler_app.states import NodeKind, RunState
from tests import factories
from tests.integration.pages.conftest import finish, notify

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    """A notification worker that lives."""
    return nodes.register(NodeKind.WORKER, lease_s=15, slots=1)


def test_the_last_failure_stands_first_with_error_and_owner(as_olga, failed_run, worker):
    html = as_olga.get("/").content.decode()
    wrong = html[html.index("vg-wrong") : html.index("vg-strip")]
    assert all(text in wrong for text in ("Wrong now", "nightly", "no tax number", "olga"))
    assert "(1) Overview: 1 job is failing" in html


def test_a_failure_that_a_success_followed_is_over(as_olga, failed_run, worker):
    finish("nightly", RunState.SUCCESS)
    html = as_olga.get("/").content.decode()
    assert "Nothing is wrong now" in html
    assert "It has succeeded since." in html


def test_only_staff_get_switches(client, staff, olga):
    factories.make_job()
    client.force_login(olga)
    assert "vg-switch" not in client.get("/").content.decode()
    client.force_login(staff)
    assert 'role="switch"' in client.get("/").content.decode()


def test_it_warns_while_no_scheduler_and_no_worker_is_alive(as_olga):
    html = as_olga.get("/").content.decode()
    assert "No scheduler runs" in html
    assert "No notification worker" in html
    now = db_now()
    Node.objects.filter(pk=factories.make_node().pk).update(tick_at=now)
    nodes.register(NodeKind.WORKER, lease_s=15, slots=1)
    html = as_olga.get("/").content.decode()
    assert "No scheduler runs" not in html
    assert "No notification worker" not in html


def test_the_heat_map_marks_cells_at_the_threshold(as_olga):
    factories.make_job()
    for _ in range(FAILURE_THRESHOLD):
        finish("nightly", RunState.FAILED, error="x")
    heat = heat_map(db_now(), FAILURE_THRESHOLD)
    (row,) = heat.rows
    assert (row.total, heat.total) == (FAILURE_THRESHOLD, FAILURE_THRESHOLD)
    assert [cell.is_marked for cell in row.cells if cell.failures] == [True]
    html = as_olga.get("/").content.decode()
    assert 'class="vg-l3 vg-marked"' in html
    assert "(UTC)" in html


def test_the_heat_map_has_the_last_24_hours_and_the_worst_jobs(db):
    now = db_now()
    for number in range(25):
        RunTally.objects.create(
            job=f"job{number:02}", hour=hour_of(now), state="FAILED", total=number + 1
        )
    RunTally.objects.create(
        job="old", hour=hour_of(now) - timedelta(hours=24), state="FAILED", total=9
    )
    heat = heat_map(now, 3)
    assert len(heat.hours) == 24
    assert (heat.rows[0].job_id, len(heat.rows), heat.left_out) == ("job24", 20, 5)
    assert heat.total == sum(range(1, 26))


def test_the_bars_of_an_hour_are_shares_of_the_busiest(db):
    now = db_now()
    RunTally.objects.create(job="a", hour=hour_of(now), state="SUCCESS", total=3)
    RunTally.objects.create(job="a", hour=hour_of(now), state="FAILED", total=1)
    last = hour_bars(heat_map(now, 3))[-1]
    assert (last.good_height, last.bad_height, last.bad_y) == (75, 25, 0)


def test_channels_show_their_set_up_hint_and_their_queue(as_olga):
    html = as_olga.get("/").content.decode()
    problem = channel_states.problem_of(ChannelState(channel="EMAIL"))
    assert problem
    assert escape(problem) in html
    assert "no Redis" in html
    assert "send_alert_notifications succeeds: –" in html


def queries_of(client, address):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize("address", ["/", "/jobs/"])
def test_the_number_of_queries_does_not_grow_with_the_jobs(as_staff, address):
    factories.make_job("job0")
    finish("job0", RunState.FAILED, error="x")
    as_staff.get(address)  # makes the rows of the channels
    few = queries_of(as_staff, address)
    jobs = [factories.declaration(f"job{number}") for number in range(30)]
    factories.sync(*jobs)
    for number in range(1, 6):
        finish(f"job{number}", RunState.FAILED, error="x")
    mirror.set_enabled("job7", False, by="admin")
    assert queries_of(as_staff, address) == few


def test_live_can_be_switched_off(as_olga):
    assert "hx-get" in as_olga.get("/").content.decode()
    as_olga.post("/live/", {"live": "off", "next": "/"})
    assert "hx-get" not in as_olga.get("/").content.decode()


def test_the_theme_is_kept_in_a_cookie_and_rendered(as_olga):
    assert 'data-theme="auto"' in as_olga.get("/").content.decode()
    as_olga.post("/theme/", {"theme": "dark"})
    assert 'data-theme="dark"' in as_olga.get("/").content.decode()
    as_olga.post("/theme/", {"theme": '"><script>'})
    assert 'data-theme="auto"' in as_olga.get("/").content.decode()


def test_the_language_is_switched(as_olga):
    as_olga.post("/language/", {"language": "zh-hans", "next": "/"})
    assert '<html lang="zh-hans"' in as_olga.get("/").content.decode()


def test_the_navigation_counts_what_is_unread(as_olga, olga, alert):
    assert 'class="vg-count"' not in as_olga.get("/").content.decode()
    notify(alert, olga)
    assert '<span class="vg-count">1' in as_olga.get("/").content.decode()
    AlertNotification.objects.update(read_at=db_now())
    assert 'class="vg-count"' not in as_olga.get("/").content.decode()


def test_signing_in_and_out(client, olga):
    assert client.get("/login/").status_code == 200
    wrong = client.post("/login/", {"username": "olga", "password": "no"})
    assert "do not fit together" in wrong.content.decode()
    answer = client.post(
        "/login/", {"username": "olga", "password": "secret-pass", "next": "/runs/"}
    )
    assert answer["Location"] == "/runs/"
    assert client.post("/logout/")["Location"] == "/login/"


def test_each_language_is_called_by_its_own_name(as_olga):
    as_olga.cookies["django_language"] = "zh-hans"
    html = as_olga.get("/").content.decode()
    assert ">English</button>" in html
    assert ">简体中文</button>" in html


def test_the_icon_is_found_where_browsers_ask_for_it(client):
    response = client.get("/favicon.ico")
    assert (response.status_code, response.url) == (302, "/static/scheduler_app/mark.svg")
