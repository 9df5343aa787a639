"""People, alerts and notifications by the thousand, as rows that a fan-out would have left; made by the server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection, models

from alerts_app.models import AlertOccurrence, AlertRecord
from benchmarks.ours.null_channel import NULL
from notifications_app.models import AlertNotification, NotificationSettings
from notifications_app.models.notifications import PRIORITY

PEOPLE = 1000
TEAM = 50
"""How many are told of one alert."""
FLOWS = 16
QUIET_IN = timedelta(hours=12)
EVERYONE = "everyone"
TITLE = "Export of orders failed"
BODY = "The export found no file for the day.\n" * 5


def people(count: int = PEOPLE) -> int:
    """`count` people, all of the group EVERYONE; returns the first one's key.

    They have their own settings: quiet hours that are far away, no e-mail, no WeChat. So alerts go to NULL and SYSTEM.
    """
    user_model = get_user_model()
    made = user_model.objects.bulk_create(
        user_model(username=f"person{n}", email=f"person{n}@example.com", first_name=f"Person {n}")
        for n in range(count)
    )
    quiet_from = datetime.now(UTC) + QUIET_IN
    NotificationSettings.objects.bulk_create(
        NotificationSettings(
            user=user,
            email_enabled=False,
            wechat_enabled=False,
            quiet_start=quiet_from.time(),
            quiet_end=(quiet_from + timedelta(hours=1)).time(),
            timezone="UTC",
        )
        for user in made
    )
    Group.objects.create(name=EVERYONE).user_set.set(made)
    return int(made[0].pk)


def notifications(
    first_person: int, count: int, due_at: datetime, *, channel: str = NULL, sent: bool = False
) -> int:
    """`count` rows of one lane, each TEAM of them about one alert; returns the first one's key.

    They are due at `due_at`, or with `sent` they were then.
    """
    alerts = -(-count // TEAM)
    first_alert, first_occurrence = _next(AlertRecord), _next(AlertOccurrence)
    team = f"(n / {TEAM})"
    person = f"({first_person} + n % {PEOPLE})"
    _make(AlertRecord, alerts, _alert(first_alert))
    _make(
        AlertOccurrence,
        alerts,
        {
            "alert_id": f"{first_alert} + n",
            "kind": "'FIRE'",
            "happened_at": "now()",
            "notifies": "true",
        },
    )
    first = _next(AlertNotification)
    values = {
        "uuid": "gen_random_uuid()",
        "alert_id": f"{first_alert} + {team}",
        "occurrence_id": f"{first_occurrence} + {team}",
        "kind": "'FIRE'",
        "recipient_id": person,
        "recipient_key": f"'user:' || {person}",
        "recipient_name": f"'Person ' || n % {PEOPLE}",
        "channel": f"'{channel}'",
        "severity": "'WARNING'",
        "priority": str(PRIORITY["WARNING"]),
        "flow": f"{team} % {FLOWS}",
        "created_at": "now()",
        "due_at": f"'{due_at.isoformat()}'::timestamptz",
        "expires_at": "now() + interval '2 days'",
    }
    if sent:
        values |= {"state": "'SENT'", "finished_at": values["due_at"], "tries": "1"}
    _make(AlertNotification, count, values)
    return first


def _alert(first: int) -> dict[str, str]:
    return {
        "fingerprint": f"'export' || {first} + n",
        "open_key": f"'export' || {first} + n",
        "source": "'CODE'",
        "severity": "'WARNING'",
        "category": "'orders'",
        "title": f"'{TITLE} ' || n",
        "body": f"'{BODY}'",
        "owner": "'team ' || n % 20",
        "occurrence_count": "1",
        "first_seen_at": "now()",
        "last_seen_at": "now()",
    }


def _next(model: type[models.Model]) -> int:
    last = model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0
    return int(last) + 1


def _make(model: type[models.Model], count: int, values: Mapping[str, str]) -> None:
    """`count` rows: a column is what `values` say in SQL of the number `n`, or its field's default."""
    first = _next(model)
    columns = {"id": f"{first} + n", **values}
    for field in model._meta.local_concrete_fields:
        columns.setdefault(str(field.column), _literal(field.get_default()))
    table = model._meta.db_table
    names, chosen = (", ".join(part) for part in (map(_quoted, columns), columns.values()))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {chosen} FROM generate_series(0, {count - 1}) n"
        )
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {first + count - 1})"
        )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    return "'{}'" if value == {} else str(value) if isinstance(value, int) else f"'{value}'"
