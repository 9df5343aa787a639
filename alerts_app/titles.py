"""What an alert or an occurrence is called, in the language in force; the titles in the database are in English."""

from __future__ import annotations

from django.utils.translation import gettext as _

from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.states import Source
from scheduler_app.masking import mask
from scheduler_app.states import RunState


def title_of(alert: AlertRecord, occurrence: AlertOccurrence | None = None) -> str:
    """One line that names what happened: at `occurrence`, by default at the latest one."""
    title = (occurrence.title if occurrence else "") or alert.title
    if alert.source != Source.RUN:
        return mask(title)
    name = mask(alert.labels.get("job_name") or title)
    state = (occurrence.run_state if occurrence else "") or alert.labels.get("state", "")
    sentences: dict[str, str] = {
        RunState.FAILED: _("%(job)s failed"),
        RunState.TIMEOUT: _("%(job)s ran into its time limit"),
        RunState.LOST: _("%(job)s was lost while it ran"),
        RunState.MISSED: _("%(job)s did not run"),
    }
    return sentences.get(state, "%(job)s") % {"job": name}
