"""What an alert is called, in the language in force; `AlertRecord.title` is kept in English."""

from __future__ import annotations

from django.utils.translation import gettext as _

from alerts_app.models import AlertRecord
from alerts_app.states import Source
from scheduler_app.masking import mask
from scheduler_app.states import RunState


def title_of(alert: AlertRecord) -> str:
    """One line that names what happened."""
    if alert.source != Source.RUN:
        return mask(alert.title)
    name = mask(alert.labels.get("job_name") or alert.title)
    sentences = {
        RunState.FAILED: _("%(job)s failed"),
        RunState.TIMEOUT: _("%(job)s ran into its time limit"),
        RunState.LOST: _("%(job)s was lost while it ran"),
        RunState.MISSED: _("%(job)s did not run"),
    }
    sentence = sentences.get(alert.labels.get("state", ""), "%(job)s")
    return sentence % {"job": name}
