"""Who would be told if a job failed: people, channels and times, before it happens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from notifications_app import channel_states, conf, preferences, recipients
from notifications_app.channels import registry
from notifications_app.errors import MissingAddressError
from notifications_app.models import NotificationSettings
from scheduler_app.models import ScheduledJob


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the forecast; `at` None: never, `note` says why."""

    person: str
    channel: str
    address: str
    at: datetime | None
    note: str


def who_is_told(job: ScheduledJob, at: datetime) -> list[Told]:
    """What a failure of `job` at `at` would send to whom; nothing is written."""
    return who_would_hear(job.owner, job.severity, at)


def who_would_hear(owner: str, severity: str, at: datetime) -> list[Told]:
    """What an alert of `severity` for `owner` at `at` would send to whom."""
    problems = channel_states.with_problems(channel_states.all_states())
    people = recipients.resolve(owner)
    settings = preferences.of_all(people)
    return [
        _line(settings[person.pk], channel, severity, at, problems[channel])
        for person in people
        for channel in registry.names()
    ]


def _line(
    wishes: NotificationSettings,
    channel: str,
    severity: str,
    at: datetime,
    problem: str,
) -> Told:
    person = preferences.person_of(wishes)
    try:
        address = registry.create(channel, conf.channel_options(channel)).address(person)
        missing = ""
    except MissingAddressError as error:
        address, missing = "", str(error)
    if not preferences.wants(wishes, channel):
        return Told(person.name, channel, address, None, _("switched off by the person"))
    if not preferences.is_severe_enough(wishes, channel, severity):
        note = _("%(severity)s is below the person's limit") % {"severity": severity}
        return Told(person.name, channel, address, None, note)
    if problem or missing:
        return Told(person.name, channel, address, None, problem or missing)
    until = preferences.quiet_until(wishes, severity, at)
    return Told(person.name, channel, address, until or at, _("after quiet hours") if until else "")
