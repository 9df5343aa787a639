"""One alert for all jobs whose next slot was stored while the database's clock was ahead; the repair resolves it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts_app import conf, lifecycle
from alerts_app.intake import NewAlert, raise_alert
from alerts_app.states import Source
from scheduler_app.future_times import LateCursor
from scheduler_app.signals import cursors_watched
from scheduler_app.states import Severity

FINGERPRINT = "scheduler:late-cursors"
SHOWN = 20


def connect() -> None:
    cursors_watched.connect(receive, name="alerts_app.sources.clock")


def receive(*, late: Sequence[LateCursor], now: datetime) -> None:
    """Several schedulers find the same: the alert of the same cursors counts once."""
    if not late:
        lifecycle.recover([FINGERPRINT], happened_at=now, source_key=f"{FINGERPRINT}:over")
        return
    latest = max(one.stored for one in late)
    title = ngettext(
        "%(count)d job stands still: the clock was ahead",
        "%(count)d jobs stand still: the clock was ahead",
        len(late),
    )
    raise_alert(
        NewAlert(
            fingerprint=FINGERPRINT,
            title=title % {"count": len(late)},
            severity=Severity.ERROR,
            source=Source.CODE,
            body=_body(late),
            link=f"{conf.get().SITE_URL}/jobs/",
            source_key=f"{FINGERPRINT}:{len(late)}:{latest.isoformat()}",
        )
    )


def _body(late: Sequence[LateCursor]) -> str:
    line = _("%(job)s: next run stored as %(stored)s UTC, due at %(due)s UTC")
    lines = [
        line
        % {
            "job": one.job_id,
            "stored": f"{one.stored:%Y-%m-%d %H:%M:%S}",
            "due": f"{one.expected:%Y-%m-%d %H:%M:%S}",
        }
        for one in late[:SHOWN]
    ]
    hint = _("Check the clock of the database's machine, then put them right: manage.py sync_jobs.")
    return "\n".join([hint, *lines])
