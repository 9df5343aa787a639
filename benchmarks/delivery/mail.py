"""Mail over kept connections beside plain smtplib, and a mail server that hangs beside another gateway."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from benchmarks.delivery import office, records, stock
from benchmarks.delivery.drains import MADE_A_SECOND, USUAL
from benchmarks.engine import plans
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.stage import Stage
from notifications_app import judgement
from notifications_app.channels import registry
from notifications_app.channels.email import letter, options
from notifications_app.claims import COLUMNS, ClaimedRow
from notifications_app.facts import Facts
from notifications_app.models import AlertNotification, NotificationSettings
from notifications_app.states import FINAL_STATES

EMAIL = "EMAIL"
COUNT = 2000
QUICK_COUNT = 200
CONNECTIONS = (1, 4, 8)
PATTERNS = 200
"""Different messages that the peer writes, in turns."""
SMTPLIB = "smtplib, Django's EmailMultiAlternatives"
PEER_TIMEOUT_S = 120.0

BESIDE = 5000
HUNG = 200


def mail(stage: Stage) -> Sequence[Measure]:
    """In --quick over four connections alone."""
    if stage.quick:
        return [_with_connections(stage, 4, QUICK_COUNT)]
    return [_with_connections(stage, connections, COUNT) for connections in CONNECTIONS]


def _with_connections(stage: Stage, connections: int, count: int) -> Measure:
    peer, ours = take_turns(
        stage.runs,
        partial(_smtplib, stage, connections, COUNT),
        partial(_vigil, stage, connections, count),
    )
    return Measure(
        name=f"{count:,} mails over {connections} kept connections: until all are final",
        unit="messages/s",
        ours=ours["rate"],
        peer=peer["rate"],
        peer_name=SMTPLIB,
        goal=Goal(ratio_least=0.85),
    )


def _vigil(stage: Stage, connections: int, count: int) -> Figures:
    with office.opened(stage) as own:
        server = own.mail_server()
        own.use_mail(server.port, connections)
        person = _readers()
        worker = own.worker(64)  # CONNECTIONS says over how many
        due = plans.now() + timedelta(seconds=2 + count / MADE_A_SECOND)
        stock.notifications(person, count, due, channel=EMAIL)
        own.site.settle()
        plans.wait_for_due(due)
        final_s = records.wait_accepted(count, EMAIL)
        own.end(worker)
        records.check(count, map(_message_of, server.accepted()), channel=EMAIL)
        return {"rate": count / (final_s - due.timestamp())}


def _smtplib(stage: Stage, connections: int, count: int) -> Figures:
    """The messages that Vigil would send, with the same headers."""
    with office.opened(stage) as own:
        server = own.mail_server()
        own.use_mail(server.port)
        stock.notifications(_readers(), PATTERNS, plans.now(), channel=EMAIL)
        file = own.site.folder / "messages.json"
        file.write_text(json.dumps(_messages()))
        arguments = (str(server.port), str(connections), str(count), str(file))
        peer = own.start("mail_peer", *arguments)
        records.must(peer.wait(PEER_TIMEOUT_S) == 0, peer.err)
        got = server.accepted()
        records.must(len(set(got)) == len(got) == count, f"{len(got)} mails came")
        return {"rate": count / float(peer.out)}


def _readers() -> int:
    person = stock.people()
    NotificationSettings.objects.update(email_enabled=True)
    return person


def _messages() -> list[dict[str, Any]]:
    rows = AlertNotification.objects.filter(channel=EMAIL).values_list(*COLUMNS)
    channel = registry.create(EMAIL, {})
    parsed = options.parse({"FROM": "vigil@example.com"})
    claimed = [ClaimedRow(*values) for values in rows]
    found = [one.message for one in judgement.judge(channel, claimed, plans.now(), Facts())]
    return [
        {
            "to": one.person.email,
            "subject": one.subject,
            "text": one.text,
            "html": one.html,
            "headers": letter.headers_for(one, parsed, "http://localhost:8000"),
        }
        for one in found
        if one
    ]


def _message_of(message_id: str) -> str:
    return message_id.removeprefix("vigil.").partition("@")[0]


def hung(stage: Stage) -> Sequence[Measure]:
    alone, ours = take_turns(
        stage.runs,
        partial(_beside, stage, hung=False),
        partial(_beside, stage, hung=True),
    )
    return (
        Measure(
            name=f"{BESIDE:,} due beside a mail server that never answers: until all are final",
            unit="messages/s",
            ours=ours["rate"],
            peer=alone["rate"],
            peer_name="Vigil, no mail due",
            goal=Goal(ratio_least=0.95),
        ),
    )


def _beside(stage: Stage, *, hung: bool) -> Figures:
    """The mails are due first, so that all that may hang does when the others are due."""
    with office.opened(stage) as own:
        server = own.mail_server("--mute")
        own.use_mail(server.port)
        person = _readers()
        worker = own.worker(USUAL)
        if hung:
            stock.notifications(person, HUNG, plans.now(), channel=EMAIL)
        due = plans.now() + timedelta(seconds=3 + BESIDE / MADE_A_SECOND)
        first = stock.notifications(person, BESIDE, due)
        own.site.settle()
        mails = AlertNotification.objects.filter(channel=EMAIL)
        records.must(not hung or _wait_hanging(mails), "no mail is on its way")
        plans.wait_for_due(due)
        final_s = records.wait_accepted(BESIDE)
        own.end(worker)
        records.check(BESIDE, [message for _moment, message in own.accepted()], first=first)
        lost = mails.filter(state__in=FINAL_STATES).count()
        records.must(not lost, f"{lost} mails ended although nobody answered")
        return {"rate": BESIDE / (final_s - due.timestamp())}


def _wait_hanging(mails) -> bool:
    for _ in range(100):
        if mails.filter(state="SENDING").exists():
            return True
        time.sleep(0.05)
    return False
