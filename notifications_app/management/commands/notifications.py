from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from notifications_app import dead_letters, selectors
from notifications_app import trace as traces
from notifications_app.channels import registry
from notifications_app.dead_letters import DeadFilter, Preview
from notifications_app.errors import NotificationError
from notifications_app.lane_lines import LaneLine, lane_lines
from notifications_app.models import AlertNotification
from notifications_app.states import NotificationState, Reason
from notifications_app.trace import Step
from scheduler_app.clock import db_now
from scheduler_app.commands import FINDINGS, VigilCommand, add_format, number
from scheduler_app.durations import spell_ms, spell_s
from scheduler_app.errors import ParameterError
from scheduler_app.masking import mask
from scheduler_app.moments import moment
from scheduler_app.texts import cut_line

LIMIT = 50
GREATEST_LIMIT = 10_000
STATS = (
    "channel", "lane", "due", "oldest", "later", "leased", "sent 24 h", "failed 24 h", "condition",
)  # fmt: skip


class Command(VigilCommand):
    help = "Look at the delivery of notifications, and send again what was given up."
    errors = (NotificationError, ParameterError)

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        stats = verbs.add_parser("stats", help="each channel and lane: what waits, and for what")
        dead = verbs.add_parser("dead", help="what was given up, the newest first")
        requeue = verbs.add_parser("requeue", help="send again what was given up")
        trace = verbs.add_parser("trace", help="one notification from alert to gateway")
        _add_filters(dead)
        dead.add_argument("--limit", type=int, default=LIMIT, help=f"default {LIMIT}")
        requeue.add_argument("ids", nargs="*", type=number, metavar="ID", help="notifications")
        _add_filters(requeue)
        requeue.add_argument("--all", action="store_true", help="all that was given up")
        requeue.add_argument("--yes", action="store_true", help="do not ask")
        requeue.add_argument("--dry-run", action="store_true", help="only say what would be done")
        trace.add_argument("id", type=number, metavar="ID", help="the notification")
        for verb in (stats, dead, requeue, trace):
            add_format(verb, "table", "json")

    def work(self, **options: Any) -> int | None:
        verbs: dict[str, Callable[[dict[str, Any]], int | None]] = {
            "stats": self._stats,
            "dead": self._dead,
            "requeue": self._requeue,
            "trace": self._trace,
        }
        return verbs[options["verb"]](options)

    def _stats(self, options: dict[str, Any]) -> None:
        now = db_now()
        queue, lines = selectors.queue_facts(now), lane_lines(now)
        if options["format"] == "json":
            self.show_json({"queue": queue, "lanes": [_lane_facts(line) for line in lines]})
            return
        self.show_table(STATS, [_lane_cells(line, now) for line in lines])
        length = "" if queue["length"] is None else f", {queue['length']} in the list"
        self.say(
            f"Queue: {queue['mode']}{length}; {queue['backlog']} due, the oldest for "
            f"{spell_s(queue['oldest_due_s'])}; workers alive: {queue['workers']}."
        )

    def _dead(self, options: dict[str, Any]) -> None:
        if not 1 <= options["limit"] <= GREATEST_LIMIT:
            raise ParameterError(f"--limit is from 1 to {GREATEST_LIMIT}.")
        rows = dead_letters.dead(_filter_of(options))
        found = [_dead_facts(row) for row in dead_letters.latest(rows, options["limit"])]
        if options["format"] == "json":
            self.show_json(found)
            return
        names = ("id", "finished_at", "channel", "person", "reason", "error", "answer", "title")
        cells = [[_cell(one[name]) for name in names] for one in found]
        self.show_table(("id", "given up (UTC)", *names[2:]), cells)
        if len(found) == options["limit"]:
            self.say(f"Stopped at {options['limit']} lines: narrow it, or raise --limit.")

    def _requeue(self, options: dict[str, Any]) -> int | None:
        chosen = _filter_of(options)
        if chosen.is_empty and not options["all"]:
            raise ParameterError("Say which: IDs, filters, or --all.")
        rows = dead_letters.dead(chosen)
        preview = dead_letters.preview(rows, db_now())
        self._say_preview(preview)
        is_missing = len(set(chosen.ids)) > rows.count() if chosen.ids else False
        if is_missing:
            self.say("Of these ids some are not given up: they stay as they are.")
        done = 0
        if preview.total and not options["dry_run"]:
            if not (options["yes"] or self._agrees(preview.total)):
                self.say("Nothing was changed.")
                return FINDINGS
            done = self._send_again(rows, preview.total)
        if options["format"] == "json":
            self.show_json({**preview.facts(), "requeued": done})
        return FINDINGS if is_missing else None

    def _say_preview(self, preview: Preview) -> None:
        self.say(f"{preview.total} messages were given up and are chosen:")
        for (channel, reason), count in sorted(preview.counts.items()):
            self.say(f"  {channel}  {reason or '-'}  {count}")
        over = f" ({preview.resolved} of them tell of what is over)" if preview.resolved else ""
        self.say(f"Sent again now, {preview.sent} would go out{over}.")
        for state, words in OTHER_FATES.items():
            for reason, count in preview.reasons(state).items():
                self.say(f"  {count} {words}: {Reason(reason).label}")

    def _agrees(self, count: int) -> bool:
        self.stderr.write(f"Send {count} messages again? [y/N] ", ending="")
        self.stderr.flush()
        try:
            return input().strip().lower() in ("y", "yes")
        except EOFError:
            raise ParameterError("Nobody is there to ask: use --yes, or --dry-run.") from None

    def _send_again(self, rows: QuerySet[AlertNotification], total: int) -> int:
        done = 0
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True) if self.stderr.isatty() else Console(quiet=True)
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("Sending again", total=total)
            for count in dead_letters.requeue(rows, by="command line"):
                done += count
                progress.update(task, advance=count)
        self.say(f"{done} messages are due again.")
        return done

    def _trace(self, options: dict[str, Any]) -> None:
        found = traces.trace(traces.find(options["id"]), db_now())
        row = found.row
        if options["format"] == "json":
            self.show_json(
                {
                    "id": row.pk, "state": row.state, "reason": row.reason,
                    "error": mask(row.error_message),
                    "steps": [{**asdict(step), "at": step.at.isoformat()} for step in found.steps],
                    "next_at": found.next_at and found.next_at.isoformat(), "next": found.next,
                }
            )  # fmt: skip
            return
        rows = [(f"{s.at:%Y-%m-%d %H:%M:%S}", s.kind.label, s.text, _told(s)) for s in found.steps]
        self.show_table(("at (UTC)", "what", "how", "details"), rows)
        reason = f" ({row.get_reason_display()})" if row.reason else ""
        self.stdout.write(f"\nNow: {row.get_state_display()}{reason}")
        for text in found.next:
            self.stdout.write(f"Next: {text}")


OTHER_FATES = {
    NotificationState.SUPPRESSED: "would be suppressed",
    NotificationState.DEAD: "would be given up again",
    NotificationState.PENDING: "would wait",
}
DETAILS = ("code", "error", "answer", "worker", "gateway_ms", "run", "lane")


def _add_filters(parser: CommandParser) -> None:
    reasons = [reason for reason in Reason.values if reason]
    parser.add_argument("--channel", type=str.upper, choices=registry.names())
    parser.add_argument("--reason", type=str.upper, choices=reasons, metavar="REASON")
    parser.add_argument("--since", help="given up since: 24h, 7d or a time (UTC)")
    parser.add_argument("--person", help="user name or address")
    parser.add_argument("--alert", type=int, metavar="ID")


def _filter_of(options: dict[str, Any]) -> DeadFilter:
    return DeadFilter(
        ids=tuple(options.get("ids", ())),
        channel=options["channel"] or "",
        reason=options["reason"] or "",
        since=moment(options["since"], db_now()) if options["since"] else None,
        person=options["person"] or "",
        alert=options["alert"],
    )


def _lane_facts(line: LaneLine) -> dict[str, Any]:
    facts = asdict(line)
    del facts["lane"]
    channel, lane = line.lane
    return {"channel": channel, "lane": lane, **facts, "condition": line.condition}


def _lane_cells(line: LaneLine, now: datetime) -> tuple[Any, ...]:
    oldest = line.oldest_due_at
    age = spell_s((now - oldest).total_seconds()) if oldest else ""
    ended = (line.sent_24h, line.failed_24h)
    return (*line.lane, line.due, age, line.later, line.leased, *ended, line.condition)


def _dead_facts(row: Any) -> dict[str, Any]:
    return {
        "id": row.pk,
        "finished_at": row.finished_at,
        "channel": row.channel,
        "person": row.recipient_name or row.recipient_key,
        "reason": row.reason,
        "error": mask(row.error_message),
        "code": row.last_code,
        "answer": mask(row.last_answer),
        "alert": row.alert_id,
        "title": mask(row.alert.title),
        "tries": row.tries,
    }


def _cell(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else cut_line(str(value), 80)


def _told(step: Step) -> str:
    """The facts that the words leave out."""
    facts = {name: step.facts.get(name) for name in DETAILS}
    if gateway_ms := facts.pop("gateway_ms"):
        facts["gateway"] = spell_ms(gateway_ms)
    return cut_line(", ".join(f"{name} {value}" for name, value in facts.items() if value), 400)
