"""What a notification says, in the reader's language and zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.states import AlertState
from alerts_app.titles import title_of
from notifications_app import conf
from notifications_app.states import NotificationKind
from scheduler_app.states import Severity
from scheduler_app.texts import cut_line, head_and_tail

BODY_LIMIT_BYTES = 4000


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


def compose(
    alert: AlertRecord, occurrence: AlertOccurrence, kind: str, *, language: str, zone: str
) -> Wording:
    """Subject, plain text and HTML of one notification.

    A firing that is sent after its alert was resolved says both in one.
    """
    with translation.override(language):
        over = kind == NotificationKind.RESOLVE or alert.state == AlertState.RESOLVED
        title = title_of(alert)
        label = _("RESOLVED") if over else str(Severity(alert.severity).label).upper()
        if kind == NotificationKind.TEST:
            label = _("TEST")
        body = head_and_tail(occurrence.body or alert.body, BODY_LIMIT_BYTES)
        facts = _facts(alert, occurrence, kind, ZoneInfo(zone))
        context = {
            "title": title,
            "label": label,
            "body": body,
            "facts": facts,
            "link": alert.link,
            "inbox": f"{conf.get().SITE_URL}/inbox/",
        }
        return Wording(
            subject=cut_line(f"[{label}] {title}", 200),
            text=render_to_string("notifications_app/message.txt", context).strip() + "\n",
            html=render_to_string("notifications_app/message.html", {**context, "lang": language}),
            label=label,
            title=title,
            body=body,
            facts=facts,
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
