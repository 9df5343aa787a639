from __future__ import annotations

import pytest

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.lifecycle import resolve
from alerts_app.models import AlertRecord
from notifications_app import wording
from notifications_app.wording import Wording

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
