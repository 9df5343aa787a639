"""What a notification says, in the reader's language and zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.states import AlertState
from alerts_app.titles import title_of
from notifications_app import conf
from notifications_app.states import NotificationKind
from scheduler_app import links
from scheduler_app.states import Severity
from scheduler_app.texts import cut_line, head_and_tail
from scheduler_app.visible import visible, visible_line

BODY_LIMIT_BYTES = 4000
LINES_MOST = 20
"""Alerts that a summary names."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Whole renderings, and the pieces that they are made of."""

    subject: str
    text: str
    html: str
    label: str
    title: str
    body: str
    facts: list[tuple[str, str]]
    link: str


def compose(
    alert: AlertRecord, occurrence: AlertOccurrence, kind: str, *, language: str, zone: str
) -> Wording:
    """Subject, plain text and HTML of one notification.

    It says how things stand: title, text and link are those of the latest firing of `alert`, also where `occurrence`
    was an earlier one. A firing that is sent after its alert was resolved says both in one.
    """
    with translation.override(language):
        over = kind == NotificationKind.RESOLVE or alert.state == AlertState.RESOLVED
        title = title_of(alert)
        label = _("RESOLVED") if over else str(Severity(alert.severity).label).upper()
        if kind == NotificationKind.TEST:
            label = _("TEST")
        said = occurrence.body if kind == NotificationKind.RESOLVE else ""
        body = head_and_tail(said or alert.body, BODY_LIMIT_BYTES)
        facts = _facts(alert, occurrence, kind, ZoneInfo(zone))
        return _rendered(label, title, body, facts, alert.link, language)


def ask_to_confirm(alert: AlertRecord, link: str, *, language: str) -> Wording:
    with translation.override(language):
        return _rendered(_("CONFIRM"), alert.title, alert.body, [], link, language)


def summarise(
    told: Sequence[tuple[AlertRecord, AlertOccurrence]], *, language: str, zone: str
) -> Wording:
    """One message about many happenings: the worst and latest alerts by name, the others by number."""
    with translation.override(language):
        last = {alert.pk: (alert, occurrence) for alert, occurrence in told}
        alerts = sorted(last.values(), key=_worst_first)
        still_open = sum(alert.state != AlertState.RESOLVED for alert, _occurrence in alerts)
        many = ngettext("%(count)s alert", "%(count)s alerts", len(alerts)) % {"count": len(alerts)}
        title = _("%(many)s, %(open)s still open") % {"many": many, "open": still_open}
        lines = [_line(alert, ZoneInfo(zone)) for alert, _occurrence in alerts[:LINES_MOST]]
        if more := len(alerts) - len(lines):
            lines.append(_("… and %(more)s more") % {"more": more})
        moments = [occurrence.happened_at for _alert, occurrence in told]
        facts = [
            (_("Since"), _local(min(moments), ZoneInfo(zone))),
            (_("Until"), _local(max(moments), ZoneInfo(zone))),
        ]
        link = links.absolute(conf.get().SITE_URL, "vigil_alerts:alerts")
        return _rendered(_("SUMMARY"), title, "\n".join(lines), facts, link, language)


def _worst_first(told: tuple[AlertRecord, AlertOccurrence]) -> tuple[int, float]:
    alert, occurrence = told
    return -Severity.values.index(alert.severity), -occurrence.happened_at.timestamp()


def _line(alert: AlertRecord, zone: ZoneInfo) -> str:
    severity = str(Severity(alert.severity).label).upper()
    text = cut_line(f"[{severity}] {title_of(alert)}", 120)
    if alert.occurrence_count > 1:
        text += f" × {alert.occurrence_count}"
    if alert.resolved_at:
        text += _(", resolved %(time)s") % {"time": f"{alert.resolved_at.astimezone(zone):%H:%M}"}
    return text


def _rendered(
    label: str, title: str, body: str, facts: list[tuple[str, str]], link: str, language: str
) -> Wording:
    title, body = visible_line(title), visible(body)
    facts = [(name, visible_line(value)) for name, value in facts]
    context = {
        "title": title,
        "label": label,
        "body": body,
        "facts": facts,
        "link": link,
        "inbox": links.absolute(conf.get().SITE_URL, "vigil_notifications:inbox"),
    }
    return Wording(
        subject=cut_line(f"[{label}] {title}", 200),
        text=render_to_string("notifications_app/message.txt", context).strip() + "\n",
        html=render_to_string("notifications_app/message.html", {**context, "lang": language}),
        label=label,
        title=title,
        body=body,
        facts=facts,
        link=link,
    )


def _facts(
    alert: AlertRecord, occurrence: AlertOccurrence, kind: str, zone: ZoneInfo
) -> list[tuple[str, str]]:
    facts = [(_("Since"), _local(alert.first_seen_at, zone))]
    if alert.resolved_at and kind != NotificationKind.TEST:
        facts.append((_("Resolved"), _local(alert.resolved_at, zone)))
    if alert.occurrence_count > 1:
        facts.append((_("Times"), str(alert.occurrence_count)))
    if job_id := alert.labels.get("job_id"):
        facts.append((_("Job"), str(job_id)))
    if alert.owner:
        facts.append((_("Owner"), alert.owner))
    return facts


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S} ({zone.key})"
