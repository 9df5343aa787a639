from __future__ import annotations

import pytest

from scheduler_app.cron_words import describe


@pytest.mark.parametrize(
    ("cron", "english", "chinese"),
    [
        ("*/5 * * * *", "every 5 minutes", "每 5 分钟"),
        ("30 2 * * *", "at 02:30", "在 02:30"),
        (
            "0 9 * * MON-FRI",
            "at 09:00, Monday through Friday",
            "在 09:00，星期一 到 星期五",
        ),
        ("0 0 L * *", "at 00:00, on the last day of the month", "在 00:00，每月的最后一天"),
    ],
)
def test_cron_is_said_in_the_readers_language(cron, english, chinese):
    assert describe(cron, "en") == english
    assert describe(cron, "zh-hans") == chinese


@pytest.mark.parametrize(
    ("schedule", "english"),
    [
        ("every 15 s", "every 15 seconds"),
        ("every 1 min", "every minute"),
        ("every 2 h", "every 2 hours"),
        ("at 2026-12-01T02:00:00", "once, at 2026-12-01 02:00:00"),
    ],
)
def test_intervals_and_single_times_are_said_as_well(schedule, english):
    assert describe(schedule, "en") == english


def test_an_unknown_language_reads_english():
    assert describe("30 2 * * *", "fr") == "at 02:30"


def test_what_has_no_words_is_shown_as_it_is():
    assert describe("0 0 * * NONSENSE", "en") == "0 0 * * NONSENSE"
