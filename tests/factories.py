"""Short ways to the objects that tests begin with."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app.models import AlertNotification
from notifications_app.models.notifications import PRIORITY
from scheduler_app import callables, claims, conf, jobfile, mirror, nodes
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, Node, ScheduledJob, Timetable
from scheduler_app.states import NodeKind

SOURCE = "tests.job_file"


def declaration(job_id: str = "nightly", **fields: Any) -> dict[str, Any]:
    return {
        "id": job_id,
        "name": job_id.title(),
        "module": "tests.jobs",
        "callable": "succeed",
        "cron": "*/5 * * * *",
        "owner": "olga",
        "category": "test",
        "description": "A job of the tests.",
        **fields,
    }


def sync(*declarations: dict[str, Any], force: bool = True) -> mirror.SyncReport:
    return mirror.sync(jobfile.parse(SOURCE, list(declarations), {}), force=force)


def make_job(job_id: str = "nightly", **fields: Any) -> ScheduledJob:
    """A synced job; others that were synced before stay."""
    known = [
        declaration(job.pk, **job.file_values) for job in ScheduledJob.objects.filter(source=SOURCE)
    ]
    sync(*[entry for entry in known if entry["id"] != job_id], declaration(job_id, **fields))
    return ScheduledJob.objects.get(pk=job_id)


def make_due(job_id: str, ago: timedelta = timedelta(0)) -> datetime:
    """Move the cursor of the job to a slot `ago`, as if nobody had looked since."""
    slot = (db_now() - ago).replace(microsecond=0)
    Timetable.objects.filter(pk=job_id).update(next_run_time=slot)
    return slot


def make_node(**fields: Any) -> Node:
    node = nodes.register(NodeKind.SCHEDULER, lease_s=15, slots=4)
    if fields:
        Node.objects.filter(pk=node.pk).update(**fields)
        node.refresh_from_db()
    return node


def start_run(job_id: str, node: Node | None = None, token: str = "t1") -> JobRun:
    """A run of the job that is RUNNING on `node`."""
    claims.request_run(ScheduledJob.objects.get(pk=job_id))
    (task,) = claims.take((node or make_node()).pk, token, 1)
    return JobRun.objects.get(pk=task.run_id)


def make_user(name: str = "olga", *, groups: tuple[str, ...] = (), **fields: Any) -> Any:
    user = get_user_model().objects.create_user(
        name, email=fields.pop("email", f"{name}@example.com"), password="secret-pass", **fields
    )
    for group in groups:
        user.groups.add(Group.objects.get_or_create(name=group)[0])
    return user


def sync_allowed(monkeypatch: Any, *jobs: ScheduledJob) -> None:
    """Let the callables of `jobs` be called, as the job file that names them would."""
    names = frozenset((job.module, job.callable) for job in jobs)
    monkeypatch.setitem(callables._last_good, conf.get().JOB_FILE, names)


def make_notification(channel: str, *, severity: str = "ERROR", **fields: Any) -> AlertNotification:
    """A row of the outbox that is due, about an alert of its own, to a person of its own unless `fields` name one."""
    now = db_now()
    if "occurrence" not in fields:
        alert = AlertRecord.objects.create(
            fingerprint=uuid.uuid4().hex,
            source="CODE",
            severity=severity,
            title="Disk full",
            first_seen_at=now,
            last_seen_at=now,
        )
        fields["occurrence"] = AlertOccurrence.objects.create(
            alert=alert, kind="FIRE", happened_at=now, title=alert.title
        )
    if "recipient" not in fields:
        fields["recipient"] = make_user(f"person{get_user_model().objects.count()}")
    fields.setdefault("recipient_key", f"user:{fields['recipient'].pk}")
    return AlertNotification.objects.create(
        alert=fields["occurrence"].alert,
        kind=fields.pop("kind", "FIRE"),
        channel=channel,
        severity=severity,
        priority=PRIORITY[severity],
        created_at=fields.pop("created_at", now),
        due_at=fields.pop("due_at", now),
        expires_at=now + timedelta(days=2),
        **fields,
    )
