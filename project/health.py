"""Does this process live (`/healthz`), can the site work (`/readyz`)? Both are for anybody, so they show no secrets."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime

from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from scheduler_app import conf, nodes
from scheduler_app.clock import db_now
from scheduler_app.connections import is_read_only
from scheduler_app.masking import mask
from scheduler_app.models import Node
from scheduler_app.states import NodeKind
from scheduler_app.verdict import verdict

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and takes changes, else 503; the body says in words how the rest does.

    `verdict` is that of the overview: `ok`, the worst `severity`, how many `problems` of which `kinds`, and `words`.
    """
    begin_s = time.monotonic()
    try:
        if is_read_only():
            return _not_ready(_("takes no changes: it is read-only, or a standby"))
        now = db_now()
        schedulers = nodes.living(NodeKind.SCHEDULER, now)
        workers = nodes.living(NodeKind.WORKER, now)
        executors = _celery_workers(now)
        judged = verdict(now)
    except Error as error:
        logger.warning("database_unreachable", extra={"error": mask(str(error))})
        return _not_ready(_("does not answer"))
    took_ms = (time.monotonic() - begin_s) * 1000
    return JsonResponse(
        {
            "status": "ready",
            "database": _("answers within %(ms)d ms") % {"ms": took_ms + 1},
            "schedulers": _alive(schedulers, _last_tick(schedulers, now)),
            "workers": _alive(workers),
            **executors,
            "job_file": _job_file(schedulers),
            "verdict": {**judged.as_dict(), "words": judged.headline},
        }
    )


def _not_ready(database: str) -> JsonResponse:
    words = {"status": "not ready", "database": database}
    return JsonResponse(words, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})


def _celery_workers(now: datetime) -> dict[str, str]:
    """Those that execute jobs; nothing on a site that has no use for them."""
    if conf.get().EXECUTOR != "celery":
        return {}
    return {"celery_workers": _alive(nodes.living(NodeKind.CELERY, now))}


def _alive(living: Sequence[Node], more: str = "") -> str:
    if not living:
        return _("none alive")
    return ", ".join(part for part in (_("%(n)d alive") % {"n": len(living)}, more) if part)


def _last_tick(schedulers: Sequence[Node], now: datetime) -> str:
    ticks = [node.tick_at for node in schedulers if node.tick_at]
    if not ticks:
        return _("no tick yet")
    age_s = max((now - max(ticks)).total_seconds(), 0.0)
    return _("last tick %(s).1f s ago") % {"s": age_s}


def _job_file(schedulers: Sequence[Node]) -> str:
    """How many have a problem with it; the problem itself may quote the file and is for who signed in."""
    troubled = sum(1 for node in schedulers if node.file_problem)
    if not troubled:
        return _("no problem known")
    text = ngettext(
        "%(n)d scheduler cannot use it and keeps the last good one; see the list of nodes",
        "%(n)d schedulers cannot use it and keep the last good one; see the list of nodes",
        troubled,
    )
    return text % {"n": troubled}
