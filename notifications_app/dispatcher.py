"""Takes claimed messages from judgement to outcome. No transaction is open while a gateway is called."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.db import Error, connection

from notifications_app import channel_states, claims, conf, daily_counts, lanes
from notifications_app.channels import registry
from notifications_app.channels.base import Channel, Outcome
from notifications_app.channels.configuration import digest_of
from notifications_app.claims import Claim, Claimant, ClaimedRow
from notifications_app.errors import NotAskedError
from notifications_app.facts import Facts
from notifications_app.judgement import Judged, judge
from notifications_app.models import ChannelState
from notifications_app.outbox import Verdict
from notifications_app.rate_limits import RateLimit
from notifications_app.recording import Result, record
from notifications_app.states import NotificationState, Reason
from scheduler_app import outages

logger = logging.getLogger("NotificationDispatcher")

RECORD_AGAIN_S = 0.5
ASK_AGAIN_S = 1.0


class NotificationDispatcher:
    """The channels of a process (those of the registry by default), ready to send.

    Any number of threads may `send`; what they return is for `record_surely`.
    """

    def __init__(self, channels: Mapping[str, Channel] | None = None) -> None:
        self._channels = channels or {
            name: registry.create(name, conf.channel_options(name)) for name in registry.names()
        }
        self._facts = Facts()
        self._problems: dict[str, tuple[float, str]] = {}

    def channel(self, name: str) -> Channel:
        return self._channels[name]

    def resume_mended(self) -> None:
        """Open lanes whose gateway refused settings that were changed since. For the start of a process."""
        lanes.resume_changed({name: digest_of(one.options) for name, one in self._channels.items()})

    def claimant(self, state: ChannelState, *, worker: int | None) -> Claimant:
        """How a channel is claimed; the limit of the job file or the admin comes before the channel's own."""
        channel = self._channels[state.channel]
        limit = RateLimit.parse(state.rate_limit or channel.rate_limit)
        return Claimant(worker, channel.batch_by_group, limit)

    def judge(
        self, claim: Claim, rows: Sequence[ClaimedRow], soon: Sequence[ClaimedRow] = ()
    ) -> list[Judged]:
        """Whether `rows` of `claim` may go out now. What is read for that is read for the rows of `soon` as well."""
        name = claim.lane.channel
        if problem := self._problem_of(name):
            return [Judged(row, verdict=_off(problem)) for row in rows]
        return judge(self._channels[name], rows, claim.now(), self._facts, soon)

    def _problem_of(self, name: str) -> str:
        """Asked once a second at most."""
        at_s, problem = self._problems.get(name, (0.0, ""))
        if not at_s or time.monotonic() - at_s > ASK_AGAIN_S:
            at_s = time.monotonic()
            state = channel_states.state_of(name)
            problem = channel_states.problem_of(state, self._channels[name])
            self._problems[name] = (at_s, problem)
        return problem

    def book(self, claim: Claim, judged: Sequence[Judged]) -> None:
        """Count what is about to be sent against the daily caps of its channel; what is over them does not go out."""
        channel = self._channels[claim.lane.channel]
        if not channel.daily_caps:
            return
        for one in judged:
            key, now = one.row.recipient_key, claim.now()
            if one.message and (refusal := daily_counts.reserve(channel, key, now)):
                one.refuse(Reason.DAILY_CAP, refusal)

    def send(self, claim: Claim, judged: Sequence[Judged]) -> list[Result]:
        """Hand over what of `claim` may go out, and return what came of each row."""
        assert not connection.in_atomic_block
        channel = self._channels[claim.lane.channel]
        messages = [one.message for one in judged if one.message]
        outcomes = channel.send(messages) if messages else []
        by_id = {outcome.message_id: outcome for outcome in outcomes}
        return [
            _result(channel, claim, one, by_id[one.message.id] if one.message else None)
            for one in judged
        ]

    def deliver(self, claim: Claim, rows: Sequence[ClaimedRow] = ()) -> None:
        """Send `rows` of `claim` (by default all) and write what came of it."""
        judged = self.judge(claim, rows or claim.rows)
        self.book(claim, judged)
        record_surely(self.send(claim, judged))

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()


@contextmanager
def dispatching() -> Iterator[NotificationDispatcher]:
    dispatcher = NotificationDispatcher()
    dispatcher.resume_mended()
    try:
        yield dispatcher
    finally:
        dispatcher.close()


def record_surely(results: Sequence[Result]) -> None:
    """Write `results`, however long the database is away: no other worker can take the messages over meanwhile.

    Raises what is no outage.
    """
    held = {result.judged.row.pk: result.claim.token for result in results}
    is_clear = True
    while True:
        try:
            # if nothing is held, the last commit went through and only its answer was lost
            if is_clear or claims.is_held(held):
                record(results)
        except Exception as error:
            if not outages.is_outage(error):
                raise
            is_clear = False
            logger.warning("outcome_waits_for_database", extra={"error": str(error)})
            outages.let_go(error)
            time.sleep(RECORD_AGAIN_S)
        else:
            return


def _result(channel: Channel, claim: Claim, judged: Judged, outcome: Outcome | None) -> Result:
    if outcome and isinstance(outcome.error, NotAskedError):
        _unbook(channel, judged, claim)
        judged.put_off(claim.now())
        outcome = None
    return Result(channel=channel, claim=claim, judged=judged, outcome=outcome)


def _unbook(channel: Channel, judged: Judged, claim: Claim) -> None:
    """Without the database the count stays too high for the day; others of the call may have been sent."""
    try:
        daily_counts.release(channel, judged.row.recipient_key, claim.now())
    except Error as error:
        away, failed = "count_not_released", "count_not_released"
        outages.note(logger, error, waits=away, failed=failed, channel=channel.name)


def _off(problem: str) -> Verdict:
    return Verdict(
        state=NotificationState.DEAD, reason=Reason.CHANNEL_OFF, error=problem, burns_try=True
    )
