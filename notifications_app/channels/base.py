"""The contract of a channel. `docs/channels.md` shows how to add one; `notifications_app.testing` has its tests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from notifications_app.daily_caps import DailyCaps
from notifications_app.errors import DeliveryError
from notifications_app.rate_limits import RATE_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody to be told, as a channel sees one. Texts are empty where nothing is known."""

    key: str
    name: str
    username: str = ""
    email: str = ""
    wechat_userid: str = ""
    mobile: str = ""
    webhook_url: str = field(default="", repr=False)
    apprise_url: str = field(default="", repr=False)
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What an alert is about, as far as it decides where its messages go. `thread` names the alert."""

    thread: str = ""
    severity: str = ""
    category: str = ""
    owner: str = ""
    labels: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notification, worded for one person.

    `id` (32 hex digits) stays the same over all tries, so that a receiver can drop a second copy. Messages of equal
    `group` are about one happening and may share a post; those of equal `thread` about one alert.

    `subject`, `text` and `html` are whole renderings; `label` (ERROR, RESOLVED, ...), `title`, `body` and `facts` are
    the pieces of them, for channels with a layout of their own. All but `html` hold text of strangers as it came.
    """

    id: str
    group: str
    thread: str
    kind: str
    severity: str
    subject: str
    text: str
    html: str
    link: str
    person: Person
    happened_at: datetime
    label: str = ""
    title: str = ""
    body: str = ""
    facts: Sequence[tuple[str, str]] = ()
    category: str = ""
    owner: str = ""
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def topic(self) -> Topic:
        return Topic(
            thread=self.thread,
            severity=self.severity,
            category=self.category,
            owner=self.owner,
            labels=self.labels,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one message: accepted, or `error`. `gateway_ms` is the length of the call that it shared."""

    message_id: str
    error: DeliveryError | None = None
    gateway_ms: float = 0.0
    code: str = ""
    answer: str = ""


NO_TOPIC = Topic()


class Channel(ABC):
    """A way to reach people. One instance serves several threads; `options` is the channel's dict of settings.

    Making one neither fails nor asks the network: what is wrong with `options` is for `problem` to say.
    """

    name: ClassVar[str]
    """Upper case, at most 32 letters, digits and underscores."""
    option_names: ClassVar[frozenset[str] | None] = None
    """The keys that `options` may have, so that a misspelt one is told; None: any."""
    batch_by_group: ClassVar[bool] = False
    """Whether messages of one group go out together, by one call of the gateway."""
    one_at_a_time: ClassVar[bool] = False
    """Whether a message goes out only when the outcome of the last one is stored: what costs money is doubled least."""
    leaves_the_site: ClassVar[bool] = True
    """Whether a message that is sent twice arrives twice. What stays in the database is sent by the hundred."""
    summarises: ClassVar[bool] = True
    """Whether many messages to one person may become one summary."""
    resends_unknown: ClassVar[bool] = True
    """Whether a message whose outcome nobody knows is sent again (under the same id)."""
    usual_rate_limit: ClassVar[str] = ""
    """What the gateway takes in one lane, as in "20/minute"; "" where nobody says so."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options

    @property
    def rate_limit(self) -> str:
        """How many calls may go out in each lane: `options["RATE_LIMIT"]`, else (or where that is none) what is usual.

        The caller keeps to it; a channel never waits by itself.
        """
        limit = str(self.options.get("RATE_LIMIT"))
        return limit if RATE_LIMIT.fullmatch(limit) else self.usual_rate_limit

    @property
    def connections(self) -> int:
        """How many calls of `send` the gateway takes at once from a process; 0: any number."""
        return 0

    @property
    def daily_caps(self) -> DailyCaps:
        """How many messages may go out a day. The caller counts and keeps to it."""
        return DailyCaps()

    @abstractmethod
    def problem(self) -> str:
        """Why nothing can be sent (off, not configured) and what to set; "" when it is up. Asks no network."""

    @abstractmethod
    def address(self, person: Person) -> str:
        """Where `person` is reached, as it is stored and shown: without secrets, at most 254 characters.

        Raises MissingAddressError, whose text names what is missing and the person.
        """

    def without_mention(self, person: Person) -> str:
        """Why the group post that tells `person` does not mention them; "" for a mention, or a message of their own."""
        return ""

    def lane(self, address: str, topic: Topic = NO_TOPIC) -> str:
        """Names the target (a robot, a host) whose slowness or throttling concerns nobody but itself.

        "": all messages of the channel share one gateway. At most 64 characters, no secret, the same in all processes.
        """
        return ""

    def lane_name(self, lane: str) -> str:
        """What an operator calls the target of `lane`, without a secret."""
        return lane

    def target(self, message: Message) -> Hashable:
        """Messages of one group share a call only if they have the same target."""
        return ""

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """Send, and return one outcome for each message; never raises for a gateway's sake.

        The whole call ends within SEND_DEADLINE_S. The verdict is read from the gateway's answer, not from its
        status alone.
        """

    def close(self) -> None:  # noqa: B027 - most channels hold nothing
        """Let go of connections; `send` may be called again afterwards."""
