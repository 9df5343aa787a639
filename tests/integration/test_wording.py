from __future__ import annotations

import pytest

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.lifecycle import resolve
from alerts_app.models import AlertRecord
from notifications_app import wording
from notifications_app.models import AlertNotification
from notifications_app.wording import Wording
from tests.factories import make_notification, make_user

pytestmark = pytest.mark.django_db

SCRIPT = "<script>alert(1)</script>"


def compose(kind: str = "FIRE", language: str = "en", zone: str = "UTC", **fields) -> Wording:
    new = {
        "fingerprint": "job:nightly",
        "title": "nightly",
        "source": "RUN",
        "body": "boom",
        **fields,
    }
    labels = {"job_id": "nightly", "job_name": "Nightly", "state": "FAILED"}
    occurrence = raise_alert(NewAlert(labels=labels, **new))
    alert = AlertRecord.objects.get(pk=occurrence.alert_id)
    return wording.compose(alert, occurrence, kind, language=language, zone=zone)


def test_failed_job_is_named_with_what_happened():
    words = compose(owner="olga", link="https://vigil.example/runs/7/")
    assert words.subject == "[ERROR] Nightly failed"
    for part in ("boom", "Owner: olga", "https://vigil.example/runs/7/", "(UTC)"):
        assert part in words.text


def test_reader_reads_in_their_language_and_zone():
    words = compose(language="zh-hans", zone="Asia/Shanghai")
    assert "Nightly" in words.subject
    assert "failed" not in words.subject
    assert "(Asia/Shanghai)" in words.text


def test_html_shows_what_an_error_says_and_runs_nothing():
    words = compose(body=SCRIPT)
    assert SCRIPT in words.text
    assert SCRIPT not in words.html
    assert "&lt;script&gt;" in words.html


def test_long_body_is_cut():
    assert len(compose(body="x" * 100_000).text.encode()) < 6000


def test_firing_that_is_over_says_both():
    occurrence = raise_alert(NewAlert(fingerprint="disk", title="Disk full"))
    resolve(occurrence.alert_id, by="olga")
    alert = AlertRecord.objects.get()
    words = wording.compose(alert, occurrence, "FIRE", language="en", zone="UTC")
    assert words.subject == "[RESOLVED] Disk full"
    assert "Since" in words.text
    assert "Resolved" in words.text


MISSED = {"title": "Nightly: missed", "state": "MISSED", "body": "", "link": "https://v.example/1/"}
FAILED = {
    "title": "Nightly: failed",
    "state": "FAILED",
    "body": "boom",
    "link": "https://v.example/2/",
}
SENTENCES = {"MISSED": "Nightly did not run", "FAILED": "Nightly failed"}


def happen(state: str, title: str, body: str, link: str):
    labels = {"job_id": "nightly", "job_name": "Nightly", "state": state}
    new = {"fingerprint": "job:nightly", "source": "RUN", "owner": "olga", "labels": labels}
    return raise_alert(NewAlert(title=title, body=body, link=link, **new))


@pytest.mark.parametrize(("first", "last"), [(MISSED, FAILED), (FAILED, MISSED)])
@pytest.mark.parametrize("kind", ["FIRE", "REMIND", "ESCALATE", "RESOLVE"])
def test_title_text_and_link_are_those_of_one_occurrence_and_say_how_things_stand(
    first, last, kind
):
    occurrence = happen(**first)
    happen(**last)
    alert = AlertRecord.objects.get()
    if kind == "RESOLVE":
        resolve(alert.pk, by="olga")
        alert.refresh_from_db()
        occurrence = alert.occurrences.get(kind="RESOLVE")
    words = wording.compose(alert, occurrence, kind, language="en", zone="UTC")
    assert (words.title, words.body, words.link) == (
        SENTENCES[last["state"]],
        last["body"],
        last["link"],
    )
    assert alert.title == last["title"]


@pytest.mark.parametrize(("first", "last"), [(MISSED, FAILED), (FAILED, MISSED)])
def test_inbox_keeps_what_was_told_then(first, last, client):
    olga = make_user("olga")
    happened = happen(**first)
    happen(**last)
    AlertNotification.objects.filter(occurrence=happened, channel="SYSTEM").delete()
    make_notification("SYSTEM", occurrence=happened, recipient=olga, state="SENT")
    client.force_login(olga)
    (entry,) = client.get("/api/v1/notifications/inbox").json()["results"]
    assert (entry["title"], entry["text"], entry["link"]) == (
        first["title"],
        first["body"],
        first["link"],
    )
    page = client.get("/inbox/").content.decode()
    shown = page.partition('class="vg-inbox"')[2].partition("</ul>")[0]
    assert SENTENCES[first["state"]] in shown
    assert SENTENCES[last["state"]] not in shown
    assert ("boom" in shown) == (first["body"] == "boom")
