"""The contract of a channel as tests, for whoever adds one. They run under pytest and under unittest alike.

    class TestTeamsChannel(ChannelContract):
        secrets = ("the-key",)

        def make(self):
            return TeamsChannel({"ENABLED": True, "URL": self.gateway.url, "KEY": "the-key"})

Give it a gateway that really listens, and say how to make it refuse (see each method). What a method does not offer is
skipped, so look at the skipped ones once.
"""

from __future__ import annotations

import re
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar
from unittest import SkipTest

from notifications_app import conf
from notifications_app.channels.base import Channel, Message, Outcome, Person, Topic
from notifications_app.errors import DeliveryError, MissingAddressError
from notifications_app.rate_limits import RATE_LIMIT

MARGIN_S = 2.0


class ChannelContract:
    """Subclass it, and give at least `make`."""

    secrets: ClassVar[Sequence[str]] = ()
    """What must never show: keys and passwords that the channels of `make` and the others have."""

    def make(self) -> Channel:
        """A channel with whole settings, whose gateway accepts everything."""
        raise NotImplementedError

    def make_unconfigured(self) -> Channel:
        """The same kind of channel without any settings."""
        return type(self.make())({})

    def make_refused(self) -> Channel:
        """One whose gateway refuses everything."""
        raise SkipTest("make_refused is not given")

    def make_unreachable(self) -> Channel:
        """One whose gateway is not there."""
        raise SkipTest("make_unreachable is not given")

    def make_hanging(self) -> Channel:
        """One whose gateway takes the request and never answers; make SEND_DEADLINE_S short for it."""
        raise SkipTest("make_hanging is not given")

    def somebody(self) -> Person:
        return Person(
            key="user:1",
            name="Wang Wei",
            username="wangwei",
            email="wang@example.com",
            wechat_userid="wangwei",
            mobile="13800138000",
        )

    def nobody(self) -> Person:
        """Somebody whom the channel cannot reach."""
        return Person(key="user:2", name="Li Lei")

    def message(self, **changes: Any) -> Message:
        link = "https://vigil.example.com/alerts/7/"
        values: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "group": "7:FIRE",
            "thread": "7",
            "kind": "fire",
            "severity": "ERROR",
            "subject": "[ERROR] Nightly backup failed",
            "text": f"ERROR Nightly backup failed\n\ndisk full\n\n{link}\n",
            "html": "<p>Nightly backup failed</p>",
            "link": link,
            "person": self.somebody(),
            "happened_at": datetime(2026, 11, 24, 2, 30, tzinfo=UTC),
            "label": "ERROR",
            "title": "Nightly backup failed",
            "body": "disk full",
            "facts": [("Job", "nightly")],
            "labels": {"job_id": "nightly"},
        }
        return Message(**{**values, **changes})

    # the tests

    def test_name_is_fit_for_metrics_and_settings(self) -> None:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]{0,31}", self.make().name)

    def test_rate_limit_can_be_read(self) -> None:
        limit = self.make().rate_limit
        assert not limit or RATE_LIMIT.fullmatch(limit)

    def test_channel_with_whole_settings_has_no_problem(self) -> None:
        assert self.make().problem() == ""

    def test_channel_without_settings_says_what_is_missing(self) -> None:
        channel = self.make_unconfigured()
        assert channel.name in channel.problem()

    def test_only_sending_uses_the_network(self) -> None:
        with _dialled() as targets:
            channel = self.make()
            channel.problem()
            channel.lane(channel.address(self.somebody()))
            channel.close()
        assert targets == []

    def test_address_and_lane_can_be_stored_and_show_no_secret(self) -> None:
        channel = self.make()
        address = channel.address(self.somebody())
        lane = channel.lane(address, Topic(thread="7", severity="ERROR"))
        assert 0 < len(address) <= 254
        assert len(lane) <= 64
        self._check_secrets(address, lane)

    def test_lane_is_the_same_for_every_instance(self) -> None:
        lanes = {one.lane(one.address(self.somebody())) for one in (self.make(), self.make())}
        assert len(lanes) == 1

    def test_person_without_an_address_is_named(self) -> None:
        try:
            self.make().address(self.nobody())
        except MissingAddressError as error:
            said = str(error)
        else:
            raise SkipTest("everybody has an address")
        assert self.nobody().name in said

    def test_each_message_has_one_outcome(self) -> None:
        messages = [self.message(), self.message(group="8:FIRE"), self.message()]
        outcomes = self._sent(self.make(), messages)
        assert [one.error for one in outcomes] == [None] * 3
        assert all(one.gateway_ms >= 0 for one in outcomes)

    def test_no_messages_are_no_outcomes(self) -> None:
        assert self._sent(self.make(), []) == []

    def test_any_text_can_be_sent(self) -> None:
        evil = (
            "\x00\ud800 <b>&amp;</b> <@all> [a](http://b) \r\nBcc: x@y.z \u2028 ${x} {{ y }} 夜🌙"
            * 50
        )
        changes = dict.fromkeys(("subject", "text", "html", "title", "body", "label"), evil)
        self._sent(self.make(), [self.message(**changes, facts=[(evil, evil)], labels={"a": evil})])

    def test_message_without_pieces_link_and_topic_can_be_sent(self) -> None:
        bare = {"link": "", "label": "", "title": "", "body": "", "facts": (), "labels": {}}
        (outcome,) = self._sent(self.make(), [self.message(**bare)])
        assert outcome.error is None

    def test_several_threads_may_send_at_once(self) -> None:
        channel = self.make()
        batches = [[self.message(group=f"{n}:FIRE")] for n in range(8)]
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda batch: self._send(channel, batch), batches))
        channel.close()
        for batch, found in zip(batches, outcomes, strict=True):
            assert [(one.message_id, one.error) for one in found] == [(batch[0].id, None)]

    def test_channel_sends_again_after_close(self) -> None:
        channel = self.make()
        channel.close()
        channel.close()
        assert self._sent(channel, [self.message()])[0].error is None

    def test_refusal_is_an_outcome_without_secrets(self) -> None:
        self._check_failed(self.make_refused())

    def test_unreachable_gateway_is_an_outcome_without_secrets(self) -> None:
        self._check_failed(self.make_unreachable())

    def test_gateway_that_hangs_is_left_in_time(self) -> None:
        channel = self.make_hanging()
        began_s = time.monotonic()
        self._check_failed(channel)
        assert time.monotonic() - began_s < conf.get().SEND_DEADLINE_S + MARGIN_S

    # what they share

    def _check_failed(self, channel: Channel) -> None:
        outcomes = self._sent(channel, [self.message(), self.message(group="8:FIRE")])
        for outcome in outcomes:
            assert isinstance(outcome.error, DeliveryError)
            assert str(outcome.error)
            self._check_secrets(str(outcome.error), outcome.error.answer, outcome.error.code)

    def _sent(self, channel: Channel, messages: Sequence[Message]) -> list[Outcome]:
        try:
            return self._send(channel, messages)
        finally:
            channel.close()

    def _send(self, channel: Channel, messages: Sequence[Message]) -> list[Outcome]:
        outcomes = channel.send(messages)
        assert sorted(one.message_id for one in outcomes) == sorted(one.id for one in messages)
        for outcome in outcomes:
            self._check_secrets(outcome.answer, outcome.code)
        return outcomes

    def _check_secrets(self, *texts: str) -> None:
        shown = [secret for secret in self.secrets for text in texts if secret in text]
        assert shown == []


_targets: ContextVar[list[Any] | None] = ContextVar("vigil_testing_targets", default=None)


@contextmanager
def _dialled() -> Iterator[list[Any]]:
    """What is connected to in the block."""
    _listen()
    targets: list[Any] = []
    token = _targets.set(targets)
    try:
        yield targets
    finally:
        _targets.reset(token)


@cache
def _listen() -> None:
    def heard(event: str, facts: tuple[Any, ...]) -> None:
        if event == "socket.connect" and (targets := _targets.get()) is not None:
            targets.append(facts[1])

    sys.addaudithook(heard)
