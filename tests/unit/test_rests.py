from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app import rests
from scheduler_app.states import Reason
from scheduler_app.timetable import Schedule

BERLIN = "Europe/Berlin"
ZONES = ["UTC", BERLIN, "America/Santiago", "America/Nuuk", "Australia/Lord_Howe", "Africa/Cairo",
         "America/St_Johns", "Antarctica/Casey"]  # fmt: skip
NIGHT, LUNCH = "22:00-06:00", "Mon-Fri 12:00-13:00"
DAYS = {"acme": {date(2026, 10, 27): False, date(2026, 11, 1): True}}


def at(text: str, zone: str = BERLIN, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def why(text: str, *, calendar: str = "", windows: tuple[str, ...] = (), fold: int = 0) -> Reason:
    return rests.of(BERLIN, calendar, windows, DAYS).why(at(text, fold=fold))


def test_day_of_a_slot_is_that_of_the_jobs_zone():
    friday_in_utc = at("2026-11-21T00:30")
    assert friday_in_utc.weekday() == 4
    assert rests.of(BERLIN, "workdays:acme", (), {}).why(friday_in_utc) == Reason.CALENDAR
    assert rests.of("UTC", "workdays:acme", (), {}).why(friday_in_utc) == Reason.NONE


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        ("2026-10-26T11:59", Reason.NONE),
        ("2026-10-26T12:00", Reason.BLACKOUT),
        ("2026-10-27T12:00", Reason.CALENDAR),
        ("2026-10-27T20:00", Reason.CALENDAR),
        ("2026-10-31T12:00", Reason.CALENDAR),
        ("2026-11-01T12:00", Reason.NONE),
        ("2026-11-01T22:00", Reason.BLACKOUT),
    ],
)
def test_calendar_is_named_before_a_window(moment, reason):
    assert why(moment, calendar="workdays:acme", windows=(NIGHT, LUNCH)) == reason


@pytest.mark.parametrize(("fold", "reason"), [(0, Reason.BLACKOUT), (1, Reason.BLACKOUT)])
def test_window_is_what_the_clocks_show_both_times(fold, reason):
    assert why("2026-10-25T02:45", windows=("02:30-03:00",), fold=fold) == reason
    assert why("2026-10-25T02:15", windows=("02:30-03:00",), fold=fold) == Reason.NONE


def test_spans_around_a_fold_are_those_of_the_clocks():
    found = rests.of(BERLIN, "", ("02:30-03:00",), {}).spans(
        at("2026-10-25T00:00"), at("2026-10-25T06:00")
    )
    edges = [span.until + timedelta(microseconds=1) for span in found][:-1]
    assert edges == [
        at("2026-10-25T02:30"),
        at("2026-10-25T02:00", fold=1),
        at("2026-10-25T02:30", fold=1),
        at("2026-10-25T03:00"),
    ]


def test_window_inside_a_gap_is_not_there():
    found = list(
        rests.of(BERLIN, "", ("02:10-02:50",), {}).spans(
            at("2026-03-29T00:00"), at("2026-03-29T12:00")
        )
    )
    assert [span.reason for span in found] == [Reason.NONE]


job_rests = st.builds(
    lambda zone, calendar, windows: rests.of(zone, calendar, windows, DAYS),
    st.sampled_from(ZONES),
    st.sampled_from(["", "workdays:acme", "not-holidays:acme", "days-off:acme", "holidays:CL"]),
    st.lists(
        st.sampled_from([NIGHT, LUNCH, "00:15-00:45", "23:10-01:20", "01:30-02:30", "Sun",
                         "2026-03-28T23:30/2026-04-02T02:30"]),
        max_size=3,
    ),
)  # fmt: skip
BEGINS = [  # in the days around changes of these zones, two of them folds that hold a midnight
    datetime(2026, 3, 26, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC), datetime(2026, 10, 22, tzinfo=UTC),
    datetime(2026, 4, 21, tzinfo=UTC), datetime(2010, 11, 5, tzinfo=UTC), datetime(2020, 3, 6, tzinfo=UTC),
]  # fmt: skip


def assert_spans_agree(job: rests.Rests, after: datetime, until: datetime) -> None:
    """They cover all instants, and say of each what `why` says of it."""
    spans = list(job.spans(after, until))
    assert (spans[0].after, spans[-1].until) == (after, until)
    for before, behind in pairwise(spans):
        assert before.until == behind.after
        assert before.reason != behind.reason
    moment, index = after, 0
    while (moment := moment + timedelta(minutes=5)) <= until:
        while moment > spans[index].until:
            index += 1
        assert job.why(moment) == spans[index].reason, moment


@given(job_rests, st.sampled_from(BEGINS), st.integers(0, 2 * 1440), st.integers(1, 4 * 1440))
def test_spans_agree_with_each_instant(job, begin, offset, length):
    after = begin + timedelta(minutes=offset)
    assert_spans_agree(job, after, after + timedelta(minutes=length))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("windows", [("23:10-01:20",), (NIGHT, "00:15-00:45"), ("Sun", LUNCH)])
def test_spans_agree_with_each_instant_around_every_kind_of_change(zone, windows):
    for begin in BEGINS:
        job = rests.of(zone, "workdays:acme", windows, DAYS)
        assert_spans_agree(job, begin, begin + timedelta(days=6))


def test_open_slots_are_those_in_which_the_job_does_not_rest():
    job = rests.of(BERLIN, "workdays:acme", (NIGHT,), DAYS)
    slots = job.open_slots(
        Schedule("0 */8 * * *", BERLIN), at("2026-10-30T00:00"), at("2026-11-03T00:00")
    )
    assert list(slots) == [
        at(text)
        for text in (
            "2026-10-30T08:00", "2026-10-30T16:00", "2026-11-01T08:00", "2026-11-01T16:00",
            "2026-11-02T08:00", "2026-11-02T16:00",
        )
    ]  # fmt: skip


def test_first_open_slots_are_found_without_a_look_at_all_the_days_behind():
    job = rests.of(BERLIN, "workdays:acme", (NIGHT,), DAYS)
    begin = at("2026-10-30T00:00")
    endless = job.open_slots(Schedule("* * * * *", BERLIN), begin, begin + timedelta(days=30_000))
    assert len(list(islice(endless, 5))) == 5
