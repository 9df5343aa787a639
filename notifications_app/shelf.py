"""Claimed messages of one worker that wait for a thread, lane by lane, and how many may be on their way at once."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from notifications_app.claims import Claim, ClaimedRow
from notifications_app.lanes import Lane

HELD_MOST = 500
"""Messages of a lane that a worker holds."""
HERE_MOST = 200
"""Messages of a channel that stays within the database that one thread takes at once."""
INSTANT_S = 0.0002
"""A gateway that takes less than this for a message waits for nothing: a thread of its own would not help."""


MANY = 32
"""Fewer to an instant gateway are best stored by one commit; of more, half is judged while the other is stored."""


@dataclass(slots=True, eq=False)
class Held:
    """A claim and what of it has not been taken yet. `safe_until_s`: until then (clock since boot) it may be sent."""

    claim: Claim
    rows: deque[ClaimedRow]
    safe_until_s: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages of one lane that one thread sends in a row, or that share one post."""

    held: Held
    rows: Sequence[ClaimedRow]
    weight: int
    """How many messages a kill could double."""

    @property
    def lane(self) -> Lane:
        return self.held.claim.lane


@dataclass(slots=True)
class _LaneShelf:
    held: list[Held] = field(default_factory=list)
    message_s: float | None = None
    """How long the gateway took for a message lately; None until the first is through."""
    in_flight: int = 0


class Shelf:
    """At most `concurrency` messages are taken and not yet `done`, so a kill can double at most that many (P5).

    A channel has at most half of them (and of the threads), a lane with a name a quarter, whether others need the rest
    or not: who hangs holds up nobody. Of a channel in `one_at_a_time` a single message is on its way.
    """

    def __init__(
        self,
        concurrency: int,
        threads: int,
        *,
        posts: frozenset[str],
        one_at_a_time: frozenset[str],
        stay_here: frozenset[str],
        connections: Mapping[str, int],
    ) -> None:
        self._concurrency, self._threads = concurrency, threads
        self._posts, self._one_at_a_time, self._stay_here = posts, one_at_a_time, stay_here
        self._connections = connections
        self._changed = threading.Condition()
        self._lanes: dict[Lane, _LaneShelf] = {}
        self._messages: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._taken = 0
        """Chunks that are not done."""
        self._is_closed = False

    @property
    def in_flight(self) -> int:
        return self._messages.total()

    @property
    def suspects(self) -> int:
        return sum(held.claim.is_suspect for held in self.waiting())

    def stock(self, lane: Lane) -> int:
        """How many messages of `lane` (or posts) wait here."""
        with self._changed:
            shelf = self._lanes.get(lane)
            held = shelf.held if shelf else []
            return len(held) if lane.channel in self._posts else sum(len(one.rows) for one in held)

    def best_priority(self, lane: Lane) -> int | None:
        """The priority of the most urgent message that waits."""
        with self._changed:
            shelf = self._lanes.get(lane)
            held = shelf.held if shelf else []
            return min((one.claim.priority for one in held), default=None)

    def is_idle(self) -> bool:
        with self._changed:
            return not self._taken and not any(one.held for one in self._lanes.values())

    def wanted(self, lane: Lane, most: int = HELD_MOST) -> int:
        """How many messages of `lane` to hold at most: about what it sends in a second."""
        with self._changed:
            shelf = self._lanes.get(lane)
            room = self._room_of_lane(lane)
            if shelf is None or shelf.message_s is None:
                return min(room * 4, most)
            return max(min(int(room / max(shelf.message_s, INSTANT_S)), most), room)

    def is_low(self, lane: Lane) -> bool:
        return self.stock(lane) <= self.wanted(lane) // 2

    def put(self, claim: Claim, safe_until_s: float) -> None:
        with self._changed:
            shelf = self._lanes.setdefault(claim.lane, _LaneShelf())
            shelf.held.append(Held(claim, deque(claim.rows), safe_until_s))
            shelf.held.sort(key=lambda one: one.claim.priority)
            self._changed.notify()

    def take(self) -> Chunk | None:
        """Wait for something that may be sent now, the most urgent first; None when the shelf is closed."""
        with self._changed:
            while not self._is_closed:
                if chunk := self._next():
                    self._changed.notify()  # one after the other: most of them would find nothing
                    return chunk
                self._changed.wait()
            return None

    def _next(self) -> Chunk | None:
        ready = [(lane, shelf) for lane, shelf in self._lanes.items() if shelf.held]
        # among equals the lane that has least on its way
        ready.sort(key=lambda pair: (pair[1].held[0].claim.priority, pair[1].in_flight))
        for lane, shelf in ready:
            held = shelf.held[0]
            room = self._room(lane, shelf)
            if room > 0 and self._calls[lane.channel] < self._most_calls(lane):
                return self._cut(lane, shelf, held, room)
        return None

    def _room(self, lane: Lane, shelf: _LaneShelf) -> int:
        if lane.channel in self._stay_here:
            return HERE_MOST
        return min(
            self._room_of_lane(lane) - shelf.in_flight,
            self._most_of_channel(lane) - self._messages[lane.channel],
            self._concurrency - self.in_flight,
        )

    def _cut(self, lane: Lane, shelf: _LaneShelf, held: Held, room: int) -> Chunk:
        is_post = lane.channel in self._posts
        size = self._chunk_size(shelf, lane)
        most = len(held.rows) if is_post else min(room, size)
        rows = [held.rows.popleft() for _ in range(min(most, len(held.rows)))]
        if not held.rows:
            shelf.held.remove(held)
        weight = 1 if is_post else len(rows)
        chunk = Chunk(held, rows, 0 if lane.channel in self._stay_here else weight)
        self._taken += 1
        shelf.in_flight += chunk.weight
        self._messages[lane.channel] += chunk.weight
        self._calls[lane.channel] += 1
        return chunk

    def _chunk_size(self, shelf: _LaneShelf, lane: Lane) -> int:
        if lane.channel in self._stay_here:
            return HERE_MOST
        if shelf.message_s is None:
            return 1
        room = self._room_of_lane(lane)
        if shelf.message_s < INSTANT_S:
            return room if room < MANY else room // 2
        # two for each call: one is sent while the other is stored
        return max(room // (2 * self._most_calls(lane)), 1)

    def _most_calls(self, lane: Lane) -> int:
        """Threads that one channel may keep busy."""
        most = max(self._threads // 2, 1)
        return min(self._connections.get(lane.channel) or most, most)

    def _most_of_channel(self, lane: Lane) -> int:
        if lane.channel in self._stay_here:
            return HERE_MOST
        if lane.channel in self._one_at_a_time:
            return 1
        return max(self._concurrency // 2, 1)

    def _room_of_lane(self, lane: Lane) -> int:
        most = self._most_of_channel(lane)
        return max(most // 2, 1) if lane.name else most

    def sent(self, chunk: Chunk, gateway_s: float | None) -> None:
        """The thread is free again, after `gateway_s` seconds of the gateway (None: it was not asked).

        What it sent is not stored yet.
        """
        with self._changed:
            if gateway_s is not None:
                self._note_pace(self._lanes[chunk.lane], gateway_s / max(chunk.weight, 1))
            self._calls[chunk.lane.channel] -= 1
            self._changed.notify()

    def _note_pace(self, shelf: _LaneShelf, took_s: float) -> None:
        before_s = shelf.message_s
        shelf.message_s = took_s if before_s is None else 0.7 * before_s + 0.3 * took_s

    def done(self, chunks: Sequence[Chunk]) -> None:
        """The outcomes are stored (or will not be): others may go."""
        with self._changed:
            for chunk in chunks:
                self._lanes[chunk.lane].in_flight -= chunk.weight
                self._messages[chunk.lane.channel] -= chunk.weight
                self._taken -= 1
            self._changed.notify()

    def is_worth_storing(self, chunks: Sequence[Chunk]) -> bool:
        """Whether some channel's messages among `chunks` are half of what it may have unstored, or the last for now."""
        weights: Counter[Lane] = Counter()
        for chunk in chunks:
            weights[chunk.lane] += chunk.weight
        with self._changed:
            return any(
                not weight
                or 2 * weight >= self._room_of_lane(lane)
                or not (self._calls[lane.channel] or self._lanes[lane].held)
                for lane, weight in weights.items()
            )

    def waiting(self) -> list[Held]:
        """All claims of which something has not been taken."""
        with self._changed:
            return [held for shelf in self._lanes.values() for held in shelf.held]

    def next_of(self, held: Held, count: int) -> list[ClaimedRow]:
        """The next rows of `held` that nobody has taken."""
        with self._changed:
            return list(islice(held.rows, count))

    def put_back(self, chunk: Chunk, rows: Sequence[ClaimedRow]) -> Chunk:
        """What is left of `chunk` when `rows`, the last of it, wait for a call of their own."""
        held = chunk.held
        with self._changed:
            if not held.rows:
                shelf = self._lanes[chunk.lane]
                shelf.held.append(held)
                shelf.held.sort(key=lambda one: one.claim.priority)
            held.rows.extendleft(reversed(rows))
            self._changed.notify()
        return replace(chunk, rows=chunk.rows[: len(chunk.rows) - len(rows)])

    def remove(self, held: Held) -> list[ClaimedRow]:
        """Take what is left of `held` off the shelf, to give it back."""
        with self._changed:
            shelf = self._lanes[held.claim.lane]
            if held in shelf.held:
                shelf.held.remove(held)
            rows = list(held.rows)
            held.rows.clear()
            return rows

    def forget_idle(self) -> None:
        """Drop lanes that hold nothing: hosts come and go."""
        with self._changed:
            for lane in [lane for lane, s in self._lanes.items() if not s.held and not s.in_flight]:
                if lane.name:
                    del self._lanes[lane]

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
