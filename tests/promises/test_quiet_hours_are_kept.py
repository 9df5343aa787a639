"""Over random wishes, zones and changes of the clock: nobody is told in their quiet hours, all are told after them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app import new_rows, preferences
from notifications_app.channels import registry
from notifications_app.facts import Facts
from notifications_app.judgement import judge
from notifications_app.models import NotificationSettings
from scheduler_app.states import Severity
from tests.story import make_person

MINUTE = timedelta(minutes=1)
CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "America/Havana": (date(2026, 3, 8), date(2026, 11, 1)),  # at midnight
    "Asia/Beirut": (date(2026, 3, 29), date(2026, 10, 25)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # by half an hour
    "Pacific/Apia": (date(2011, 12, 30),),  # a day that never was
    "Asia/Kathmandu": (date(2026, 5, 5),),  # never
    "UTC": (date(2026, 5, 5),),
}

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(1200)]
often = hypothesis_settings(
    max_examples=2000 if os.environ.get("VIGIL_TEST_LONG") else 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Night:
    """Quiet hours, by the definition: the clock on the wall, minute by minute."""

    start: time
    end: time
    zone: str

    def wall(self, moment: datetime) -> datetime:
        local = moment.astimezone(ZoneInfo(self.zone))
        return local.replace(second=0, microsecond=0, tzinfo=None)

    def holds(self, moment: datetime) -> bool:
        clock = self.wall(moment).time()
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    def ends(self, moment: datetime) -> datetime:
        """The first minute outside that the clock has not shown before: turned back, it ends no night."""
        minute, latest = moment.replace(second=0, microsecond=0), self.wall(moment)
        while self.holds(minute) or self.wall(minute) < latest:
            latest = max(latest, self.wall(minute))
            minute += MINUTE
        return minute


clocks = st.times().map(lambda value: value.replace(second=0, microsecond=0))


@st.composite
def nights_and_moments(draw: st.DrawFn) -> tuple[Night, datetime]:
    zone = draw(st.sampled_from(sorted(CHANGES)))
    day = datetime.combine(draw(st.sampled_from(CHANGES[zone])), time(), tzinfo=UTC)
    moment = day + timedelta(seconds=draw(st.integers(-2 * 86_400, 2 * 86_400)))
    return Night(draw(clocks), draw(clocks), zone), moment


severities = st.sampled_from(Severity.values)


@pytest.fixture
def olga(django_user_model):
    person = make_person("olga")
    raise_alert(NewAlert(fingerprint="disk", title="Disk full", owner="olga"))
    return person


def wish(night: Night, bypasses: bool) -> None:
    NotificationSettings.objects.update(
        quiet_start=night.start,
        quiet_end=night.end,
        timezone=night.zone,
        critical_bypasses_quiet=bypasses,
    )


def new_row(person, severity: str, now: datetime):
    alert, occurrence = AlertRecord.objects.get(), AlertOccurrence.objects.get()
    alert.severity = severity
    wishes = preferences.of(person)
    (row,) = new_rows.rows_for(alert, occurrence, "FIRE", wishes, ["EMAIL"], now)
    return row


def sent_at(row) -> datetime:
    """Judge the row whenever it is due, until it goes out."""
    channel = registry.shared("EMAIL")
    for _ in range(9):
        (judged,) = judge(channel, [row], row.due_at, Facts())
        if judged.message:
            return row.due_at
        assert judged.verdict
        assert (judged.verdict.state, judged.verdict.reason) == ("PENDING", "QUIET_HOURS")
        assert judged.verdict.due_at > row.due_at
        row.due_at, row.reason = judged.verdict.due_at, judged.verdict.reason
    raise AssertionError("it never goes out")


@often
@given(nights_and_moments(), severities, st.booleans())
def test_message_goes_out_as_soon_as_its_person_is_awake(olga, what, severity, bypasses):
    night, now = what
    wish(night, bypasses)
    at = sent_at(new_row(olga, severity, now))
    if severity == "CRITICAL" and bypasses:
        assert at == now
        return
    assert not night.holds(at)
    assert now <= at
    if night.holds(now):
        assert at <= night.ends(now) + MINUTE
    else:
        assert at == now


@often
@given(nights_and_moments(), nights_and_moments(), severities)
def test_wishes_that_change_meanwhile_are_kept(olga, before, after, severity):
    wish(before[0], False)
    row = new_row(olga, severity, before[1])
    wish(after[0], False)
    due_at = row.due_at
    at = sent_at(row)
    assert not after[0].holds(at)
    assert at <= (after[0].ends(due_at) + MINUTE if after[0].holds(due_at) else due_at)
