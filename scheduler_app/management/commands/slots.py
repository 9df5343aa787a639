from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from django.core.management.base import CommandParser

from scheduler_app import slots
from scheduler_app.clock import db_now
from scheduler_app.commands import FINDINGS, VigilCommand, add_format
from scheduler_app.durations import spell_ms
from scheduler_app.errors import ParameterError, UnknownJobError
from scheduler_app.moments import moment
from scheduler_app.slots import SlotLine
from scheduler_app.states import RunState, SlotState
from scheduler_app.texts import typed

LINES = 2000
COLUMNS = ("slot (UTC)", "last (UTC)", "slots", "state", "reason", "run", "tries", "lag")
LINE = "{:<19}  {:<19}  {:>9}  {:<9}  {:<11}  {:>10}  {:>5}  {:>9}"


class Command(VigilCommand):
    help = (
        "What should have run: every slot of a job while it was enabled, with its row in the ledger; a range of slots "
        "with one row is one line. Exit 1 when a slot is MISSING or a row stands for no slot: neither may ever be."
    )
    errors = (ParameterError, UnknownJobError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--job", required=True, type=typed, help="the job's id")
        parser.add_argument(
            "--since",
            default="24h",
            help="24h, 7d or a time (UTC) like 2026-11-01T10:00; default 24h",
        )
        parser.add_argument("--until", default="now", help="the same; default now")
        parser.add_argument(
            "--state", action="append", default=[], type=str.upper,
            choices=[*RunState.values, *SlotState.values], help="only these; may be repeated",
        )  # fmt: skip
        parser.add_argument(
            "--upcoming", type=int, default=0, metavar="N", help="the next N slots as well"
        )
        parser.add_argument(
            "--limit", type=int, default=LINES, help=f"lines at most; default {LINES}"
        )
        add_format(parser, "table", "json")

    def work(self, **options: Any) -> int:
        now = db_now()
        since, until = moment(options["since"], now), moment(options["until"], now)
        if options["limit"] < 1 or not 0 <= options["upcoming"] <= LINES:
            raise ParameterError(f"--limit is from 1 up, --upcoming from 0 to {LINES}.")
        past = _Watched(
            slots.read(options["job"], since, until), options["state"], options["limit"]
        )
        coming = slots.upcoming(options["job"], options["upcoming"])
        show = self._show_json if options["format"] == "json" else self._show_lines
        show(chain(past, coming))
        self.say(past.summary)
        return FINDINGS if past.wrong else 0

    def _show_json(self, lines: Iterable[SlotLine]) -> None:
        """As they come: a list of objects, one a line."""
        before = "[\n"
        for line in lines:
            self.stdout.write(before + json.dumps(_facts(line)), ending="")
            before = ",\n"
        self.stdout.write("\n]" if before == ",\n" else "[]")

    def _show_lines(self, lines: Iterable[SlotLine]) -> None:
        """As they come, so in columns of a fixed width."""
        self.stdout.write(LINE.format(*COLUMNS).rstrip())
        for line in lines:
            self.stdout.write(LINE.format(*_cells(line)).rstrip())


class _Watched:
    """The wanted lines of `lines`, at most `limit`; knows afterwards what there was."""

    def __init__(self, lines: Iterable[SlotLine], states: Collection[str], limit: int) -> None:
        self._lines, self._states, self._limit = lines, states, limit
        self._counts: Counter[str] = Counter()
        self._stopped_at: datetime | None = None
        self.wrong = 0

    def __iter__(self) -> Iterator[SlotLine]:
        shown = 0
        for line in self._lines:
            self.wrong += line.is_wrong
            if self._states and line.state not in self._states:
                continue
            if shown == self._limit:
                self._stopped_at = line.first
                return
            shown += 1
            self._counts[line.state] += line.count
            yield line

    @property
    def summary(self) -> str:
        counts = ", ".join(f"{count:,} {state}" for state, count in self._counts.most_common())
        text = f"{self._counts.total():,} slots" + (f": {counts}." if counts else ".")
        if self.wrong:
            text += f" {self.wrong:,} lines are wrong: the ledger and the schedule disagree."
        if self._stopped_at:
            at = self._stopped_at.isoformat()
            text += f" Stopped at {self._limit:,} lines: go on with --since {at}, or raise --limit."
        return text


def _facts(line: SlotLine) -> dict[str, Any]:
    return {
        "slot": line.first.isoformat(),
        "slot_last": line.last.isoformat(),
        "slot_count": line.count,
        "state": line.state,
        "reason": line.reason,
        "run_id": line.run_id,
        "attempts": line.attempts,
        "lag_ms": line.lag_ms,
        "is_expected": line.is_expected,
    }


def _cells(line: SlotLine) -> tuple[str, ...]:
    return (
        f"{line.first:%Y-%m-%d %H:%M:%S}",
        f"{line.last:%Y-%m-%d %H:%M:%S}" if line.count > 1 else "",
        f"{line.count:,}",
        line.state,
        line.reason if line.is_expected else "NO SLOT",
        "" if line.run_id is None else str(line.run_id),
        str(line.attempts or ""),
        "" if line.lag_ms is None else spell_ms(line.lag_ms),
    )
