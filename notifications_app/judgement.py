"""Whether claimed messages may go out, by what holds at this moment, and what they will say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from alerts_app.states import AlertState
from notifications_app import conf, confirmation, preferences, wording
from notifications_app.channels.base import Channel, Message, Person
from notifications_app.channels.system.channel import IN_APP
from notifications_app.claims import ClaimedRow
from notifications_app.errors import MissingAddressError
from notifications_app.facts import Facts, Reader
from notifications_app.models import AlertNotification, NotificationSettings
from notifications_app.outbox import Verdict
from notifications_app.states import NotificationKind, NotificationState, Reason
from notifications_app.wording import Wording
from scheduler_app.states import Severity

Carried = AlertNotification
Row = ClaimedRow | Carried
End = tuple[Carried, Verdict]


@dataclass(slots=True, eq=False)
class Judged:
    """A claimed row that goes out as `message`, or does not, by `verdict`."""

    row: ClaimedRow
    verdict: Verdict | None = None
    message: Message | None = None
    told_resolve: bool = False
    told: list[tuple[Carried, bool]] = field(default_factory=list)
    """Rows that it carries and that the message tells of; and whether it says that they are over."""
    aside: list[End] = field(default_factory=list)
    """Rows that it carries and that the message leaves out."""

    def refuse(self, reason: Reason, error: str) -> None:
        """It does not go out, nor does what it would have told of."""
        self.verdict = _final(NotificationState.DEAD, reason, error)
        self.aside += [(row, self.verdict) for row, _is_over in self.told]
        self.message, self.told = None, []

    def put_off(self, due_at: datetime) -> None:
        """It goes out another time, with all that it carries."""
        state = NotificationState(self.row.state)
        self.verdict = Verdict(state=state, reason=Reason(self.row.reason), due_at=due_at)
        self.message, self.told, self.aside = None, [], []


def judge(
    channel: Channel,
    rows: Sequence[ClaimedRow],
    now: datetime,
    facts: Facts,
    soon: Sequence[ClaimedRow] = (),
) -> list[Judged]:
    """One judgement for each of `rows`, in a fixed number of queries.

    None where `facts` are known, but one for people whom a post of a group cannot mention.

    What is asked for them is asked for the rows of `soon` as well.
    """
    court = _Court(channel, rows, now, facts, soon)
    return [court.judgement(row) for row in rows]


def foresee(
    channel: Channel, rows: Sequence[AlertNotification], now: datetime
) -> list[Verdict | None]:
    """What would become of `rows` now without a message being written; None: they would go out."""
    court = _Court(channel, rows, now, Facts())
    return [court.refusal(row) for row in rows]


class _Court:
    """What is known of `rows`, of the rows that they carry, and of their people."""

    def __init__(
        self,
        channel: Channel,
        rows: Sequence[Row],
        now: datetime,
        facts: Facts,
        soon: Sequence[Row] = (),
    ) -> None:
        self._channel, self._now = channel, now
        self._happenings = {row.occurrence_id for row in rows}
        self._posts: set[tuple[int, str, str]] | None = None
        self._carried = _carried_by(rows)
        known = [*rows, *(row for carried in self._carried.values() for row in carried)]
        self._alerts = facts.alerts.of(
            (row.alert_id for row in known), (row.alert_id for row in soon)
        )
        self._occurrences = facts.occurrences.of(
            (row.occurrence_id for row in known), (row.occurrence_id for row in soon)
        )
        for row in rows:
            if row.reason == Reason.QUIET_HOURS:  # a change of preferences may have made it due
                facts.readers.forget_older(row.recipient_id, (now - row.due_at).total_seconds())
        self._readers = facts.readers.of(
            (row.recipient_id for row in rows), (row.recipient_id for row in soon)
        )

    def judgement(self, row: ClaimedRow) -> Judged:
        if verdict := self.refusal(row):
            return self._whole(row, verdict)
        reader = self._readers[row.recipient_id]
        judged = Judged(row)
        if row.kind == NotificationKind.SUMMARY:
            self._judge_carried(judged, reader.wishes)
            if not judged.told:
                nothing = _final(NotificationState.WITHDRAWN, Reason.NOTHING_LEFT)
                return Judged(row, verdict=nothing, aside=judged.aside)
        message = self._message(judged, reader)
        lane = self._channel.lane(row.address, message.topic)
        if lane != row.lane:
            row.lane = lane
            moved = Verdict(state=NotificationState.PENDING, due_at=row.due_at)
            return Judged(row, verdict=moved)
        judged.message = message
        judged.told_resolve = self._is_over(row)
        return judged

    def refusal(self, row: Row) -> Verdict | None:
        """Why `row` does not go out now, whatever it says; None when it does, and then it has its address."""
        reader = self._readers.get(row.recipient_id)
        if reader is None or not reader.is_active:
            return _final(NotificationState.SUPPRESSED, Reason.PERSON_GONE)
        if verdict := self._unwanted(row, reader.wishes):
            return verdict
        try:
            row.address = self._channel.address(_person(row, reader))
        except MissingAddressError as error:
            return _final(NotificationState.DEAD, Reason.NO_ADDRESS, str(error))
        return None

    def _whole(self, row: ClaimedRow, verdict: Verdict) -> Judged:
        """`verdict` for the row and, when it is final, for all that it carries."""
        judged = Judged(row, verdict=verdict)
        if verdict.due_at is None:
            judged.aside = [(one, verdict) for one in self._carried[row.pk]]
        return judged

    def _unwanted(self, row: Row, wishes: NotificationSettings) -> Verdict | None:
        if verdict := self._too_old(row):
            return verdict
        if row.kind in ON_REQUEST:
            return None
        if row.channel == IN_APP and row.reason in STANDS_IN:
            return None
        if not preferences.wants(wishes, row.channel):
            return _final(NotificationState.SUPPRESSED, Reason.SWITCHED_OFF)
        if verdict := self._too_mild(row, wishes):
            return verdict
        if until := preferences.quiet_until(wishes, row.severity, self._now):
            return Verdict(state=NotificationState.PENDING, reason=Reason.QUIET_HOURS, due_at=until)
        if self._was_posted(row):
            return _final(NotificationState.SENT, Reason.NO_MENTION)
        return self._too_late(row)

    def _was_posted(self, row: Row) -> bool:
        """Whether the group has had a post about the same already, so that one more would mention no one anew."""
        person = self._readers[row.recipient_id].person
        if row.kind == NotificationKind.SUMMARY or not self._channel.without_mention(person):
            return False
        if self._posts is None:
            self._posts = _posts(self._channel, self._happenings)
        return (row.occurrence_id, row.kind, row.lane) in self._posts

    def _too_old(self, row: Row) -> Verdict | None:
        if row.expires_at > self._now:
            return None
        text = (
            f"Not delivered until {row.expires_at:%Y-%m-%d %H:%M} UTC, then too old to be of use."
        )
        return _final(NotificationState.DEAD, Reason.EXPIRED, text)

    def _too_mild(self, row: Row, wishes: NotificationSettings) -> Verdict | None:
        if row.kind == NotificationKind.SUMMARY or preferences.is_severe_enough(
            wishes, row.channel, row.severity
        ):
            return None
        return _final(NotificationState.SUPPRESSED, Reason.BELOW_SEVERITY)

    def _too_late(self, row: Row) -> Verdict | None:
        """Into a summary: what waited behind a pause, and what is over when the quiet hours end."""
        told_singly = row.severity == Severity.CRITICAL or row.tries > 0
        was_carried = row.reason == Reason.IN_SUMMARY
        can_be = self._channel.summarises and row.kind in SUMMARISED
        if told_singly or was_carried or not can_be:
            return None
        waited = self._now - row.due_at > timedelta(seconds=conf.get().LATE_S)
        slept = row.reason == Reason.QUIET_HOURS and self._is_over(row)
        if not waited and not slept:
            return None
        return Verdict(
            state=NotificationState.PENDING,
            reason=Reason.IN_SUMMARY,
            due_at=row.due_at,
            is_late=True,
        )

    def _judge_carried(self, judged: Judged, wishes: NotificationSettings) -> None:
        for row in self._carried[judged.row.pk]:
            row.address = judged.row.address
            if verdict := self._too_old(row) or self._too_mild(row, wishes):
                judged.aside.append((row, verdict))
            else:
                judged.told.append((row, self._is_over(row)))

    def _is_over(self, row: Row) -> bool:
        fired = row.kind == NotificationKind.FIRE
        return fired and self._alerts[row.alert_id].state == AlertState.RESOLVED

    def _message(self, judged: Judged, reader: Reader) -> Message:
        row, person = judged.row, _person(judged.row, reader)
        told: Sequence[Row] = [row for row, _over in judged.told] or [row]
        subject = told[0] if len(told) == 1 else row
        alert = self._alerts[subject.alert_id]
        words = self._words(subject, told, person.language, reader.wishes)
        is_summary = subject.kind == NotificationKind.SUMMARY
        return Message(
            id=row.uuid.hex,
            group=f"{row.occurrence_id}:{row.kind}",
            thread=f"summary:{row.pk}" if is_summary else str(alert.pk),
            kind=subject.kind.lower(),
            severity=max((one.severity for one in told), key=preferences.RANK.__getitem__),
            subject=words.subject,
            text=words.text,
            html=words.html,
            link=words.link,
            person=person,
            happened_at=self._occurrences[subject.occurrence_id].happened_at,
            label=words.label,
            title=words.title,
            body=words.body,
            facts=words.facts,
            category=alert.category,
            owner=alert.owner,
            labels=alert.labels,
        )

    def _words(
        self, subject: Row, told: Sequence[Row], language: str, wishes: NotificationSettings
    ) -> Wording:
        """Worded once for all who read the same in one language and zone."""
        zone = wishes.timezone or conf.site_time_zone()
        if subject.kind == NotificationKind.SUMMARY:
            facts = [(self._alerts[r.alert_id], self._occurrences[r.occurrence_id]) for r in told]
            return wording.summarise(facts, language=language, zone=zone)
        alert = self._alerts[subject.alert_id]
        if subject.kind == NotificationKind.CONFIRM:
            link = confirmation.link_for(subject.recipient_id, subject.address)
            return wording.ask_to_confirm(alert, link, language=language)
        happened_at = self._occurrences[subject.occurrence_id].happened_at
        version = (happened_at, alert.state, alert.severity, alert.occurrence_count)
        key = (subject.occurrence_id, subject.kind, language, zone, version)
        if key not in _wordings:
            if len(_wordings) >= WORDINGS_MOST:
                _wordings.clear()
            _wordings[key] = wording.compose(
                alert,
                self._occurrences[subject.occurrence_id],
                subject.kind,
                language=language,
                zone=zone,
            )
        return _wordings[key]


WORDINGS_MOST = 500
_wordings: dict[tuple[Any, ...], Wording] = {}
"""What was said lately; for a thousand recipients in one language and zone it is worded once."""
ON_REQUEST = (NotificationKind.TEST, NotificationKind.CONFIRM)
"""Preferences and quiet hours do not hold them up."""
STANDS_IN = (Reason.CHANNEL_OFF, Reason.LAST_RESORT)
"""An inbox entry with one of these takes the place of a message by another channel: no wish holds it back."""
SUMMARISED = (NotificationKind.FIRE, NotificationKind.RESOLVE)


def _carried_by(rows: Sequence[Row]) -> dict[int, list[Carried]]:
    found: dict[int, list[Carried]] = defaultdict(list)
    carriers = [row.pk for row in rows if row.kind == NotificationKind.SUMMARY]
    if carriers:
        due = Carried.objects.filter(carried_by__among=carriers, state=NotificationState.PENDING)
        for row in due.order_by("pk"):
            found[row.carried_by_id or 0].append(row)
    return found


def _posts(channel: Channel, occurrences: Collection[int]) -> set[tuple[int, str, str]]:
    """Occurrence, kind and lane of what was posted by `channel` about `occurrences`."""
    sent = AlertNotification.objects.filter(
        occurrence__among=occurrences, channel=channel.name, state=NotificationState.SENT
    )
    return set(sent.values_list("occurrence", "kind", "lane").distinct())


def _person(row: Row, reader: Reader) -> Person:
    """A confirmation goes to the address that is to be confirmed, not to the one in use."""
    is_new = row.kind == NotificationKind.CONFIRM
    return replace(reader.person, email=row.address) if is_new else reader.person


def _final(state: NotificationState, reason: Reason, error: str = "") -> Verdict:
    return Verdict(state=state, reason=reason, error=error)
