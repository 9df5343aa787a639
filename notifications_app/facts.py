"""Alerts, happenings and people as they were within the last second: many messages share the questions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.contrib.auth import get_user_model

from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app import preferences
from notifications_app.channels.base import Person
from notifications_app.models import NotificationSettings
from scheduler_app import bulk
from scheduler_app.clock import since_boot_s

KEEP_S = 1.0
"""So long a person's switches may be a thing of the past when the message leaves."""
KEPT_MOST = 5000

T = TypeVar("T")


class Recent(Generic[T]):
    """What `read` finds by key, read again once it is older than KEEP_S. Serves several threads."""

    def __init__(self, read: Callable[[list[Any]], Mapping[Any, T]]) -> None:
        self._read = read
        self._kept: dict[Any, tuple[float, T | None]] = {}
        self._lock = threading.Lock()

    def of(self, keys: Iterable[Any], soon: Iterable[Any] = ()) -> dict[Any, T]:
        """Those of `keys` that exist. When something has to be read, `soon` is read with it."""
        wanted = {key for key in keys if key is not None}
        with self._lock:  # others are likely to want the same: they find it when it is their turn
            fresh_from_s = since_boot_s() - KEEP_S
            missing = self._stale(wanted, fresh_from_s)
            if missing:
                self._load(missing | self._stale(soon, fresh_from_s))
            found = {key: self._kept[key][1] for key in wanted}
        return {key: value for key, value in found.items() if value is not None}

    def forget_older(self, key: Any, age_s: float) -> None:
        """Have `key` read again where it was read longer than `age_s` ago."""
        with self._lock:
            if self._kept.get(key, (0.0, None))[0] < since_boot_s() - age_s:
                self._kept.pop(key, None)

    def _stale(self, keys: Iterable[Any], fresh_from_s: float) -> set[Any]:
        never = (0.0, None)
        return {
            key for key in keys if key is not None and self._kept.get(key, never)[0] < fresh_from_s
        }

    def _load(self, keys: set[Any]) -> None:
        at_s = since_boot_s()
        found = self._read(list(keys))
        if len(self._kept) > KEPT_MOST:
            self._kept = {k: v for k, v in self._kept.items() if v[0] >= at_s - KEEP_S}
        self._kept |= {key: (at_s, found.get(key)) for key in keys}


@dataclass(frozen=True, slots=True)
class Reader:
    """A person and what they want."""

    person: Person
    wishes: NotificationSettings
    is_active: bool


class Facts:
    """Of one process, or of one question."""

    def __init__(self) -> None:
        self.alerts: Recent[AlertRecord] = Recent(lambda ids: bulk.by_pk(AlertRecord, ids))
        self.occurrences: Recent[AlertOccurrence] = Recent(
            lambda ids: bulk.by_pk(AlertOccurrence, ids)
        )
        self.readers: Recent[Reader] = Recent(_readers)


def _readers(ids: list[Any]) -> dict[Any, Reader]:
    people: dict[Any, Any] = bulk.by_pk(get_user_model(), ids)
    return {
        pk: Reader(
            preferences.person_of(wishes), wishes, bool(getattr(people[pk], "is_active", True))
        )
        for pk, wishes in preferences.of_all(list(people.values())).items()
    }
