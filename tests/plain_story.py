"""The story of a project of tests/plain_settings.py: `python -m tests.plain_story begin`, run what waits, then `end`.

`end` prints what became of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from urllib.parse import quote, urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.plain_settings")
HOST = "http://localhost"


def begin() -> None:
    """Two people, of whom `admin` owns the jobs; a run of each job waits."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from scheduler_app import requests

    users = get_user_model()._default_manager
    call_command("migrate", verbosity=0)
    call_command("sync_jobs", format="json", stdout=sys.stderr)
    for name in ("admin", "olga"):
        users.create_superuser(**{users.model.USERNAME_FIELD: name, "password": "x"})
    for job in ("succeed", "fail"):
        requests.run_now(job, requested_by="tests")


def end() -> None:
    """Deliver what is due, open every page."""
    from django.apps import apps
    from django.contrib.auth import get_user_model
    from django.test import Client

    from scheduler_app.models import JobRun

    answer = {"runs": dict(JobRun.objects.values_list("job_id", "state"))}
    if apps.is_installed("alerts_app"):
        from alerts_app.models import AlertRecord

        answer["alerts"] = [one.title for one in AlertRecord.objects.all()]
        answer["links"] = [one.link for one in AlertRecord.objects.all()]
    if apps.is_installed("notifications_app"):
        answer["notifications"] = _delivered()
    client = Client(SERVER_NAME="localhost")
    admin = get_user_model()._default_manager.order_by(get_user_model().USERNAME_FIELD)[0]
    client.force_login(admin)
    answer |= _pages(client)
    sys.stdout.write(f"ANSWER {json.dumps(answer)}\n")


def _delivered() -> list[list[str]]:
    from notifications_app import jobs
    from notifications_app.models import AlertNotification

    jobs.send_alert_notifications()
    jobs.deliver_due()
    rows = AlertNotification.objects.select_related("recipient").order_by("channel")
    return [[one.recipient.get_username(), one.channel, one.state] for one in rows]


def _pages(client) -> dict[str, object]:
    from django.urls import get_script_prefix, reverse

    from tests.crawler import crawl

    def below(address: str) -> str:
        return "/" + address.removeprefix(HOST).removeprefix(get_script_prefix())

    def get(address: str) -> tuple[int, str]:
        response = client.get(below(address))
        while response.status_code in (
            301,
            302,
        ):  # the client's own `follow` knows no script prefix
            response = client.get(below(response["Location"]))
        text = b"".join(response) if response.streaming else response.content
        return response.status_code, text.decode(errors="replace")

    names = ["vigil_scheduler:jobs", "vigil_scheduler:nodes", "admin:index"]
    starts = [HOST + address for address in (*map(reverse, names), *_of_people())]
    statuses = crawl(get, starts, HOST)
    return {"pages": {k: v for k, v in statuses.items() if "/static/" not in k}}


def _of_people() -> list[str]:
    """Addresses that no page links to and that have to do with a person."""
    from django.apps import apps
    from django.contrib.auth import get_user_model
    from django.urls import reverse

    if not apps.is_installed("notifications_app"):
        return []
    from notifications_app import preferences
    from notifications_app.channels.email import unsubscribe

    person = get_user_model()._default_manager.last()
    settings = reverse("vigil_notifications_api:settings")
    link = unsubscribe.link_for(preferences.person_of(preferences.of(person)))
    return [
        settings,
        f"{settings}?user={quote(person.get_username())}",
        f"{settings}?user={quote(str(person.pk))}",
        reverse("vigil_notifications_api:notifications"),
        reverse("vigil_notifications_api:inbox"),
        urlsplit(link).path,
    ]


if __name__ == "__main__":
    import django

    django.setup()
    {"begin": begin, "end": end}[sys.argv[1]]()
