"""The pages in a real browser: phone width, both languages, both themes, refreshing while somebody reads."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import get_user_model

from alerts_app.intake import NewAlert, raise_alert
from notifications_app import fan_out, preferences
from notifications_app.models import AlertNotification, ChannelState
from scheduler_app import ledger
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.masking import mask
from scheduler_app.models import JobRun, LastRun, Node
from scheduler_app.states import RunState
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

PHONE, DESKTOP = {"width": 360, "height": 640}, {"width": 1280, "height": 800}
ERROR = "ConnectionError: warehouse.example.com:5432 did not answer within 30 s"


@pytest.fixture
def site(live_server, client):
    """A site with two jobs, one failing, an alert and what was told of it; `site.session` is its admin's."""
    admin = factories.make_user("admin", is_staff=True, is_superuser=True)
    factories.sync(
        factories.declaration("nightly_export_of_everything", owner="olga"),
        factories.declaration("quiet"),
    )
    for job, state, error in (
        ("quiet", RunState.SUCCESS, ""),
        ("nightly_export_of_everything", RunState.FAILED, ERROR),
    ):
        finish(job, state, error)
    occurrence = raise_alert(NewAlert(fingerprint="x", title="Disk is full", owner="admin"))
    fan_out.fan_out([occurrence.pk])
    admin.vigil_notifications.update(state="SENT", finished_at=db_now())
    client.force_login(admin)
    live_server.session = client.cookies["sessionid"].value
    return live_server


def finish(job: str, state: RunState, error: str = "") -> None:
    run = factories.start_run(job)
    result = RunResult(
        run_id=run.pk, token="t1", state=state, started_at=db_now(), finished_at=db_now(), duration_ms=900.0,
        error=error, traceback=error and f"Traceback:\n{error}",
    )  # fmt: skip
    ledger.finish([result])


@pytest.fixture
def open_page(site, browser):
    """`open_page(path, viewport, language, theme)`: a page whose complaints are in `page.complaints`."""
    contexts = []

    def go(path: str, viewport=DESKTOP, language="en", theme="light") -> Any:
        context = browser.new_context(viewport=viewport)
        contexts.append(context)
        cookies = {"sessionid": site.session, "django_language": language, "vg-theme": theme}
        context.add_cookies(
            [{"name": name, "value": value, "url": site.url} for name, value in cookies.items()]
        )
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(site.url + path)
        return page

    yield go
    for context in contexts:
        context.close()


def addresses() -> list[str]:
    run = JobRun.objects.latest("pk")
    notification = AlertNotification.objects.latest("pk")
    return [
        "/", "/jobs/", "/jobs/quiet/", "/runs/", f"/runs/{run.pk}/", "/alerts/",
        f"/alerts/{notification.alert_id}/", "/notifications/",
        f"/notifications/{notification.pk}/", "/channels/", "/nodes/", "/inbox/", "/settings/",
    ]  # fmt: skip


def refresh(page: Any) -> None:
    """What the page does by itself every five seconds."""
    with page.expect_response(lambda response: response.request.headers.get("hx-request")):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('vg:refresh'))")


def overflow(page: Any) -> Any:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def test_a_phone_shows_the_last_failure_without_scrolling(open_page):
    page = open_page("/", PHONE)
    for text in (ERROR, "nightly_export_of_everything", "olga"):
        box = page.locator(".vg-wrong").get_by_text(text).first.bounding_box()
        assert box["y"] + box["height"] <= PHONE["height"], text
    assert overflow(page) <= 0


@pytest.mark.parametrize(
    ("language", "theme"),
    [("en", "light"), ("en", "dark"), ("zh-hans", "light"), ("zh-hans", "dark")],
)
def test_no_page_complains_or_is_wider_than_a_phone(site, open_page, language, theme):
    page = open_page("/", PHONE, language, theme)
    for path in addresses():
        page.goto(site.url + path)
        assert overflow(page) <= 0, path
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == theme
    assert page.complaints == []


LONG = "a" * 100
URL = f"https://warehouse.example.com/{'x' * 150}?token={'y' * 100}"
LINE = f'  File "/srv/{"d" * 120}/job.py", line 7, in run {URL}'
TRACEBACK = "\n".join(["Traceback (most recent call last):", *[LINE] * 60, f"ValueError: {URL}"])


@pytest.fixture
def long_site(site):
    """The site with ids, titles, errors and addresses as long as they get, without a place to break them."""
    factories.make_job(
        LONG, name="n" * 200, description="d" * 400, owner="o" * 100, category="c" * 100
    )
    run = factories.start_run(LONG)
    result = RunResult(
        run_id=run.pk, token="t1", state=RunState.FAILED, started_at=db_now(), finished_at=db_now(), duration_ms=900.0,
        error=f"ValueError: {URL}", traceback=TRACEBACK, log=f"2026-12-01T23:51:00.094Z INFO {URL}\n" * 60, result=URL,
    )  # fmt: skip
    ledger.finish([result])
    made = NewAlert(fingerprint="long", title="t" * 200, body=TRACEBACK, owner="admin", link=URL)
    fan_out.fan_out([raise_alert(made).pk])
    sent = {
        "state": "SENT",
        "finished_at": db_now(),
        "error_message": TRACEBACK,
        "address": "m" * 254,
    }
    AlertNotification.objects.filter(alert__fingerprint="long").update(**sent)
    ChannelState.objects.update(last_error=TRACEBACK, last_failure_at=db_now())
    preferences.save(
        get_user_model().objects.get(), {"timezone": "America/Argentina/ComodRivadavia"}
    )
    Node.objects.update(name="h" * 200, file_problem=TRACEBACK, queues="q" * 200)
    return site


CUT = "[...document.querySelectorAll('pre.vg-wrap')].filter(e => e.scrollWidth > e.clientWidth).length"
TOO_WIDE = """[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth
    && !e.closest('.vg-scroll, .vg-nav')).map(e => e.tagName + '.' + e.className).slice(0, 5)"""


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_longest_texts_wrap_on_a_phone(long_site, open_page, language, theme):
    page = open_page("/", PHONE, language, theme)
    wide = {}
    for path in (*addresses(), f"/jobs/{LONG}/", f"/jobs/?q={URL}", "/nowhere/"):
        page.goto(long_site.url + path)
        if overflow(page) > 0 or page.evaluate(CUT):
            wide[path] = (overflow(page), page.evaluate(TOO_WIDE))
    assert wide == {}


def test_a_traceback_of_sixty_lines_is_read_on_a_phone_as_a_whole(long_site, open_page):
    page = open_page(f"/runs/{JobRun.objects.get(job=LONG).pk}/", PHONE)
    shown = page.locator("#vg-traceback pre")
    assert shown.inner_text().strip() == mask(TRACEBACK)
    box = shown.bounding_box()
    assert box["x"] + box["width"] <= PHONE["width"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_main_pages_have_no_serious_barriers(site, open_page, theme):
    page = open_page("/", DESKTOP, theme=theme)
    pages = ("/", "/jobs/", "/jobs/quiet/", "/channels/", "/nodes/", "/settings/", addresses()[6])
    for path in pages:
        page.goto(site.url + path)
        found = Axe().run(page).response["violations"]
        serious = [
            (one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], path


def test_a_refresh_brings_news_and_leaves_focus_and_open_details_alone(open_page):
    page = open_page(f"/runs/{_running().pk}/")
    page.set_default_timeout(5000)
    JobRun.objects.filter(state="RUNNING").update(progress_text="page 4", traceback="Traceback: x")
    refresh(page)
    page.get_by_text("page 4").wait_for()
    page.locator("#vg-traceback summary").click()
    assert page.locator("#vg-traceback").get_attribute("open") is None
    JobRun.objects.filter(state="RUNNING").update(progress_text="page 5")
    refresh(page)
    page.get_by_text("page 5").wait_for()
    assert page.locator("#vg-traceback").get_attribute("open") is None
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_refresh_of_the_dashboard_keeps_the_focus_and_says_what_changed(open_page):
    page = open_page("/")
    page.set_default_timeout(5000)
    page.locator("#vg-switch-quiet").focus()
    LastRun.objects.filter(pk="quiet").update(state="FAILED")
    refresh(page)
    page.get_by_text("2 jobs are failing").first.wait_for(state="attached")
    assert page.evaluate("document.activeElement.id") == "vg-switch-quiet"
    said = page.locator("#vg-announcement").text_content()
    assert "2 jobs are failing" in said
    wrong = page.get_by_role("heading", name="Wrong now").inner_text().rpartition(" ")[2]
    assert page.title() == f"({wrong}) Overview: {said} · Vigil"
    assert page.complaints == []


def test_a_page_refreshes_by_itself(open_page):
    page = open_page("/")
    page.clock.install()
    page.reload()
    with page.expect_response(lambda response: response.request.headers.get("hx-request")):
        page.clock.fast_forward(5000)


def test_switching_a_job_off_works_by_keyboard(open_page):
    page = open_page("/")
    page.locator("#vg-switch-quiet").press("Enter")
    page.get_by_text("quiet is switched off.").wait_for(timeout=5000)
    assert page.locator("#vg-switch-quiet").get_attribute("aria-checked") == "false"


def _running() -> JobRun:
    return factories.start_run("quiet", token="t9")
