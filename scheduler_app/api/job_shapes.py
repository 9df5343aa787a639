"""How a job looks in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from scheduler_app import epochs, mirror, upcoming
from scheduler_app.api.inputs import Input, Typed
from scheduler_app.api.outputs import Masked, MaskedJSON, word
from scheduler_app.api.paging import Limit, Page
from scheduler_app.drift import drift_of, notes_of
from scheduler_app.masking import mask, shown
from scheduler_app.models import ScheduledJob
from scheduler_app.selectors import JobFigures, JobLine
from scheduler_app.states import JobState, RunState, Severity

MAY_BE_NULL = {field.name for field in ScheduledJob._meta.concrete_fields if field.null}


class JobQuery(Limit):
    after = Typed(required=False, max_length=100, help_text="Only ids behind it.")
    q = Typed(required=False, max_length=200, help_text="Part of id, name or text.")
    owner = Typed(required=False, max_length=150)
    category = Typed(required=False, max_length=100)
    enabled = serializers.BooleanField(required=False)
    state = serializers.ChoiceField(JobState.choices, required=False)
    last_state = serializers.ChoiceField(RunState.choices, required=False)


class LastRunShape(serializers.Serializer[Any]):
    run_id = serializers.IntegerField(source="run")
    state = word(RunState)
    finished_at = serializers.DateTimeField()
    duration_ms = serializers.FloatField(allow_null=True)
    cpu_s = serializers.FloatField(allow_null=True)
    peak_memory_mb = serializers.FloatField(
        allow_null=True, help_text="Of a process; null for a thread."
    )
    queries = serializers.IntegerField(allow_null=True, help_text="Database statements.")
    error = Masked()
    succeeded_at = serializers.DateTimeField(allow_null=True)
    failed_at = serializers.DateTimeField(allow_null=True)


class FiguresShape(serializers.Serializer[Any]):
    """Counts since the first run; percentiles of the last 24 hours, or of all runs where these had none."""

    success_count = serializers.IntegerField(source="succeeded")
    failure_count = serializers.IntegerField(source="failed")
    failures_24h = serializers.IntegerField(source="recent_failed")
    p50_ms = serializers.SerializerMethodField()
    p95_ms = serializers.SerializerMethodField()
    p99_ms = serializers.SerializerMethodField()

    def get_p50_ms(self, figures: JobFigures) -> float | None:
        return figures.percentile_ms(0.50)

    def get_p95_ms(self, figures: JobFigures) -> float | None:
        return figures.percentile_ms(0.95)

    def get_p99_ms(self, figures: JobFigures) -> float | None:
        return figures.percentile_ms(0.99)


class JobShape(serializers.Serializer[Any]):
    job_id = serializers.CharField(source="job.pk")
    name = Masked(source="job.name")
    owner = serializers.CharField(source="job.owner")
    category = serializers.CharField(source="job.category")
    description = Masked(source="job.description")
    cron = serializers.CharField(source="job.cron")
    timezone = serializers.CharField(source="job.timezone", help_text="Empty: the site's zone.")
    severity = word(Severity, source="job.severity")
    tags = serializers.ListField(child=serializers.CharField(), source="job.tags")
    enabled = serializers.BooleanField(source="job.enabled")
    state = word(JobState, source="job.state")
    state_error = Masked(source="job.state_error")
    revision = serializers.IntegerField(source="job.revision")
    next_run_at = serializers.DateTimeField(allow_null=True)
    running = serializers.IntegerField(help_text="Runs under way.")
    last_run = LastRunShape(source="last", allow_null=True)
    figures = FiguresShape()


class JobPage(Page):
    results = JobShape(many=True)


class DriftShape(serializers.Serializer[Any]):
    """A field whose value in force is not the file's, and who changed it."""

    field = serializers.CharField()
    in_file = MaskedJSON()
    in_force = MaskedJSON()
    by = serializers.CharField()
    at = serializers.CharField()
    why = Masked()


class JobDetailShape(JobShape):
    source_file = serializers.CharField(source="job.source")
    problem = serializers.SerializerMethodField(help_text="Why its schedule cannot be followed.")
    definition = serializers.SerializerMethodField(help_text="Every field of the job file.")
    drift = serializers.SerializerMethodField()
    overrides = serializers.SerializerMethodField(
        help_text="Who changed which field, when and why."
    )
    next_times = serializers.SerializerMethodField()

    def get_problem(self, line: JobLine) -> str:
        return mask(epochs.problem_of(line.job))

    def get_definition(self, line: JobLine) -> dict[str, Any]:
        return {name: shown(getattr(line.job, name), name) for name in mirror.FIELDS}

    @extend_schema_field(DriftShape(many=True))
    def get_drift(self, line: JobLine) -> list[dict[str, Any]]:
        return [
            {
                "field": name,
                "in_file": shown(in_file, name),
                "in_force": shown(in_force, name),
                **_note(notes_of(line.job).get(name, {})),
            }
            for name, (in_file, in_force) in drift_of(line.job).items()
        ]

    def get_overrides(self, line: JobLine) -> dict[str, dict[str, str]]:
        return {name: _note(note) for name, note in notes_of(line.job).items()}

    def get_next_times(self, line: JobLine) -> list[datetime]:
        return upcoming.next_times(line.job, self.context["now"])


def _note(note: Mapping[str, Any]) -> dict[str, str]:
    return {name: shown(str(note.get(name, ""))) for name in ("by", "at", "why")}


class Why(Input):
    why = serializers.CharField(required=False, default="", max_length=500, allow_blank=True)


class JobChange(Why):
    """Fields of the job file with their new values, as they would stand there; all may be left out."""

    revision = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The revision that you have seen: 409 when the job was changed since.",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        values = {
            name: serializers.JSONField(required=False, allow_null=name in MAY_BE_NULL)
            for name in mirror.EDITABLE
        }
        return {**super().get_fields(), **values}


class RunRequest(Input):
    params = serializers.DictField(
        required=False, help_text="Named arguments of this run, over those of the job."
    )


class ResetRequest(Input):
    """`fields`: all by default."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        name = serializers.ChoiceField(mirror.FIELDS)
        return {"fields": serializers.ListField(child=name, required=False)}
