"""When in the coming week an alert for an owner would wait, because all its readers have quiet hours or a pause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _

from notifications_app import conf, lanes, preferences
from notifications_app.models import NotificationSettings
from notifications_app.reach import Audience, Reach, Wanted
from notifications_app.spans import Span, common, union

DAY, HOUR, WEEK = timedelta(days=1), timedelta(hours=1), timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """`waits_until`: when an alert of the hour's worst moment is told; None: at once, or (not `is_reached`) never."""

    begin: datetime
    is_reached: bool
    waits_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """`gaps` are the spans, whole also where they begin before the week or end after it, in which an alert waits."""

    begin: datetime
    audience: Audience
    is_reached: bool
    """Whether any channel reaches any of the readers; where none does there are no gaps, as nothing is told later."""
    gaps: Sequence[Span]
    zone: str
    is_held: bool = False
    """Whether an operator holds every channel that reaches the readers."""

    @property
    def hours(self) -> list[Hour]:
        first = self.begin.replace(minute=0, second=0, microsecond=0)
        return [self._hour(first + number * HOUR) for number in range(int(WEEK / HOUR))]

    def _hour(self, begin: datetime) -> Hour:
        ends = [gap[1] for gap in self.gaps if gap[0] < begin + HOUR and begin < gap[1]]
        return Hour(begin=begin, is_reached=self.is_reached, waits_until=max(ends, default=None))

    def in_words(self) -> list[str]:
        """Such as “Mon-Fri 22:00-07:00 Asia/Shanghai: a failure would wait until 07:00”."""
        zone = ZoneInfo(self.zone)
        days: dict[tuple[str, str], set[int]] = defaultdict(set)
        texts = []
        for begin, end in ((a.astimezone(zone), b.astimezone(zone)) for a, b in self.gaps):
            if end - begin < DAY:
                days[f"{begin:%H:%M}", f"{end:%H:%M}"].add(begin.weekday())
            else:
                text = _("%(begin)s until %(end)s %(zone)s: a failure would wait until then")
                facts = {"begin": f"{begin:%Y-%m-%d %H:%M}", "end": f"{end:%Y-%m-%d %H:%M}"}
                texts.append(text % {**facts, "zone": self.zone})
        for (begins, ends), weekdays in days.items():
            text = _("%(days)s %(begin)s-%(end)s %(zone)s: a failure would wait until %(end)s")
            facts = {"days": _days(weekdays), "begin": begins, "end": ends, "zone": self.zone}
            texts.append(text % facts)
        return texts


def weeks(reach: Reach, wanted: Iterable[Wanted], begin: datetime) -> dict[Wanted, Week]:
    """The week from `begin` for each of `wanted`; one query for all of them."""
    pauses = _pauses(reach, begin)
    return {one: _week(reach, one, begin, pauses) for one in set(wanted)}


def _pauses(reach: Reach, begin: datetime) -> Mapping[str, datetime]:
    """By channel until when nothing goes out by it; one that is held by an operator stays so for the week."""
    until = {name: lane.paused_until or begin for name, lane in lanes.pauses(begin).items()}
    held = {name: begin + WEEK + DAY for name, state in reach.states.items() if state.held}
    return {**until, **held}


def _week(reach: Reach, wanted: Wanted, begin: datetime, pauses: Mapping[str, datetime]) -> Week:
    audience = reach.audience(wanted)
    readers = [one for one in audience.told_by_wish if reach.open_ways(one, wanted)]
    ways = {way.channel for one in readers for way in reach.open_ways(one, wanted)}
    waits = [
        union([*_quiet(one, wanted, begin), *_paused(reach, one, wanted, begin, pauses)])
        for one in readers
    ]
    gaps = reduce(common, waits) if waits else []
    zones = {preferences.zone_of(one) for one in readers}
    return Week(
        begin=begin,
        audience=audience,
        is_reached=bool(readers),
        gaps=[gap for gap in gaps if gap[0] < begin + WEEK and begin < gap[1]],
        zone=zones.pop() if len(zones) == 1 else conf.site_time_zone(),
        is_held=bool(ways) and all(reach.states[name].held for name in ways),
    )


def _quiet(person: NotificationSettings, wanted: Wanted, begin: datetime) -> list[Span]:
    """With a day before and after the week, so that no night is cut in two."""
    return preferences.quiet_spans(person, wanted.severity, begin - DAY, begin + WEEK + DAY)


def _paused(
    reach: Reach,
    person: NotificationSettings,
    wanted: Wanted,
    begin: datetime,
    pauses: Mapping[str, datetime],
) -> list[Span]:
    """Until the first channel that reaches the person goes on."""
    until = min(pauses.get(way.channel, begin) for way in reach.open_ways(person, wanted))
    return [(begin, until)] if until > begin else []


def _days(weekdays: set[int]) -> str:
    """Neighbours as one: “Mon-Fri, Sun”."""
    runs: list[list[int]] = []
    for day in sorted(weekdays):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names: Mapping[int, Any] = WEEKDAYS_ABBR
    return ", ".join("-".join(dict.fromkeys(str(names[d]) for d in (r[0], r[-1]))) for r in runs)
