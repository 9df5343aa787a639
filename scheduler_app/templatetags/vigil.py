"""How pages show times, durations, states and switches. Everything is escaped; nothing is inline style or script."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from scheduler_app import cron_words, people, zones
from scheduler_app.durations import spell_ms
from scheduler_app.masking import mask
from scheduler_app.selectors import JobFigures

register = template.Library()
register.filter("may", people.may)
register.filter("masked", mask)

NOTHING = "–"
WORD_BREAK = SafeString("<wbr>")
Missing = Literal[""] | None
"""What a template hands over for something that is not there."""
LOG_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(?= )", re.MULTILINE)
"""How `capture.RunLogHandler` begins a line."""
THEMES = ("auto", "light", "dark")
THEME_COOKIE, LIVE_COOKIE = "vg-theme", "vg-live"


class Look(NamedTuple):
    tone: str
    icon: str


OK, BAD, WARN = Look("ok", "check"), Look("bad", "cross"), Look("warn", "warning")
BUSY, WAIT, OFF = Look("busy", "play"), Look("wait", "clock"), Look("off", "minus")
LOOKS = {
    **dict.fromkeys(("SUCCESS", "SENT", "RESOLVED", "ACTIVE", "UP", "ALIVE"), OK),
    **dict.fromkeys(
        ("FAILED", "DEAD", "OPEN", "BROKEN", "PERMANENT", "CONFIGURATION", "DENIED"), BAD
    ),
    **dict.fromkeys(("TIMEOUT", "LATE", "STILL", "SILENT"), Look("bad", "clock")),
    **dict.fromkeys(("LOST", "UNKNOWN", "MISSING"), Look("bad", "question")),
    **dict.fromkeys(("MISSED", "TRANSIENT", "THROTTLED", "WARNING", "UNCONFIGURED"), WARN),
    **dict.fromkeys(("RUNNING", "SENDING"), BUSY),
    **dict.fromkeys(("QUEUED", "PENDING", "NEVER", "DUE"), WAIT),
    **dict.fromkeys(
        ("SKIPPED", "CANCELLED", "SUPPRESSED", "WITHDRAWN", "OFF", "ORPHANED", "PRUNED"), OFF
    ),
    "ACKNOWLEDGED": Look("warn", "eye"),
    "WATCHED": Look("off", "eye"),
    "PAUSED": Look("warn", "pause"),
    "RETRY": WARN,
    "INFO": Look("wait", "info"),
    "ERROR": BAD,
    "CRITICAL": Look("bad", "warning"),
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """A symbol of icons.svg; the words beside it say what it means."""
    sprite = static("scheduler_app/icons.svg")
    return format_html(
        '<svg class="vg-icon" aria-hidden="true"><use href="{}#{}"/></svg>', sprite, name
    )


@register.simple_tag
def badge(state: str, label: Any = "") -> SafeString:
    """A state as icon, word and colour."""
    look = LOOKS.get(str(state), OFF)
    return format_html(
        '<span class="vg-badge vg-{}">{}{}</span>', look.tone, icon(look.icon), label or state
    )


@register.filter
def tone(state: str) -> str:
    return LOOKS.get(str(state), OFF).tone


@register.simple_tag
def when(moment: datetime | Missing) -> SafeString:
    """A time in the page's zone, as short as it is clear; the title has it in full and in UTC."""
    if not moment:
        return format_html('<span class="vg-none">{}</span>', NOTHING)
    here, today = timezone.localtime(moment), timezone.localtime()
    if here.date() == today.date():
        text = f"{here:%H:%M:%S}"
    else:
        text = f"{here:%m-%d %H:%M}" if here.year == today.year else f"{here:%Y-%m-%d %H:%M}"
    return _time(moment, text)


@register.simple_tag
def ago(moment: datetime | Missing) -> SafeString:
    """How long ago a time was, or how far ahead it is, in the largest unit that says it."""
    if not moment:
        return format_html('<span class="vg-none">{}</span>', NOTHING)
    seconds = round((timezone.now() - moment).total_seconds())
    span = _span(abs(seconds))
    text = _("%(span)s ago") if seconds >= 0 else _("in %(span)s")
    return _time(moment, text % {"span": span})


@register.filter
def hour(moment: datetime) -> str:
    """The hour's number in the page's zone, with minutes where the zone needs them."""
    here = timezone.localtime(moment)
    return f"{here:%H:%M}" if here.minute else f"{here:%H}"


@register.filter
def day_hour(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%m-%d %H:%M}"


@register.filter
def utc_hour(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H}"


@register.filter
def duration(value_ms: float | Missing) -> str:
    """A duration in milliseconds, as in `durations`."""
    return NOTHING if value_ms is None or value_ms == "" else spell_ms(value_ms)


@register.filter
def seconds(value_s: float | None) -> str:
    return duration(None if value_s is None else value_s * 1000)


@register.filter
def percentile(figures: JobFigures, share: int) -> float | None:
    """The duration in ms below which `share` percent of the runs stay."""
    return figures.percentile_ms(share / 100)


@register.filter
def rate(share: float | None) -> str:
    """A share from 0 to 1 in percent; never 100 % where something is missing."""
    if share is None:
        return NOTHING
    text = f"{share * 100:.1f}"
    return f"{'99.9' if text == '100.0' and share < 1 else text.removesuffix('.0')} %"


@register.filter
def in_words(cron: str) -> str:
    """A schedule in the reader's language."""
    return cron_words.describe(cron, get_language() or "en")


@register.filter
def words(value: str) -> SafeString:
    """A name with underscores and dots after which a browser may break the line; copied, it is the name alone."""
    parts = ((part,) for part in re.split(r"(?<=[_.])", value))
    return format_html_join(WORD_BREAK, "{}", parts)


@register.simple_tag(takes_context=True)
def theme(context: dict[str, Any]) -> str:
    """What the reader chose: "auto" follows the device."""
    chosen = _cookie(context, THEME_COOKIE)
    return chosen if chosen in THEMES else "auto"


@register.simple_tag(takes_context=True)
def is_live(context: dict[str, Any]) -> bool:
    """Whether pages refresh by themselves for this reader."""
    return _cookie(context, LIVE_COOKIE) != "off"


@register.simple_tag
def zone_name() -> str:
    return timezone.get_current_timezone_name()


@register.simple_tag
def zone_label() -> str:
    """The page's zone with its offset now: Asia/Shanghai (UTC+08:00)."""
    return zones.label(timezone.get_current_timezone(), timezone.now())


@register.filter
def in_zone(text: str) -> str:
    """Output of a run, whose log lines begin with UTC times, with these in the page's zone."""
    return LOG_TIME.sub(_log_time, text)


def _log_time(found: re.Match[str]) -> str:
    try:
        moment = datetime.fromisoformat(found[0])
    except ValueError:  # a job's own text
        return found[0]
    return timezone.localtime(moment).isoformat(sep=" ", timespec="milliseconds")


@register.simple_tag(takes_context=True)
def here(context: dict[str, Any], address: str) -> bool:
    """Whether `address` is that of this page or of a page above it."""
    request: HttpRequest | None = context.get("request")
    return request is not None and request.path.startswith(address)


@register.simple_tag(takes_context=True)
def this_page(context: dict[str, Any]) -> str:
    """The present address, for a form to come back to."""
    return str(context["request"].get_full_path())


def _cookie(context: dict[str, Any], name: str) -> str:
    request: HttpRequest | None = context.get("request")
    return request.COOKIES.get(name, "") if request else ""


def _time(moment: datetime, text: str) -> SafeString:
    there = moment.astimezone(UTC)
    title = f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S} · {there:%Y-%m-%d %H:%M:%S} UTC"
    return format_html(
        '<time class="vg-time" datetime="{}" title="{}">{}</time>',
        f"{there:%Y-%m-%dT%H:%M:%SZ}",
        title,
        text,
    )


def _span(seconds: int) -> str:
    if seconds < 60:
        return _("%(n)s s") % {"n": seconds}
    if seconds < 3600:
        return _("%(n)s min") % {"n": seconds // 60}
    if seconds < 86_400:
        return _("%(n)s h") % {"n": seconds // 3600}
    days = seconds // 86_400
    return ngettext("%(n)s day", "%(n)s days", days) % {"n": days}
