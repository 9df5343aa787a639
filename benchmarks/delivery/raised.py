"""Alerts that are raised while workers run: how soon people are told, and what raising costs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

from benchmarks.cpu import Meter
from benchmarks.delivery import office, records, stock
from benchmarks.delivery.drains import MADE_A_SECOND, QUICK_PEER_COUNT, USUAL
from benchmarks.delivery.office import Office
from benchmarks.engine import plans
from benchmarks.measure import Figures, Goal, Measure, percentile, take_turns
from benchmarks.ours.null_channel import NULL
from benchmarks.peers import celery
from benchmarks.stage import Stage
from benchmarks.trial import WrongRecordError
from notifications_app.models import AlertNotification
from notifications_app.states import FINAL_STATES, NotificationKind, NotificationState

ENQUEUED = 5
"""Alerts to 1,000 people that one process raises, one after the other."""
AHEAD = 100_000
QUICK_AHEAD = 5000
URGENT = 10
STORM_PEOPLE = 20
STORM_S = 10.0
STORM_ALERTS = 1000
STORM_RAISERS = 4
CRITICAL_EACH = 20
SUMMARY_S = 60.0
QUICK_SUMMARY_S = 3.0
IDLE_S = 30.0
QUICK_IDLE_S = 2.0
PATIENCE_S = 300.0
PICKED_UP = 20
QUICK_PICKED_UP = 4
PICK_EVERY_S = 0.73
"""No whole part of the second in which workers poll."""

Times = Mapping[str, tuple[float, float]]


def enqueue(stage: Stage) -> Sequence[Measure]:
    peer, ours = take_turns(
        stage.runs, partial(celery.deliver, stage, QUICK_PEER_COUNT), partial(_enqueue, stage)
    )
    return (
        Measure(
            name="alert to 1,000 people by 2 channels: until committed",
            unit="rows/s",
            ours=ours["rate"],
            peer=peer["delay_rate"],
            peer_name=celery.DELAY,
            goal=Goal(ratio_least=5),
        ),
    )


def _enqueue(stage: Stage) -> Figures:
    """The median alert counts: the first one pays for what a process loads."""
    with office.opened(stage) as own:
        stock.people()
        own.site.settle()
        raiser = own.raiser(count=ENQUEUED, every_s=0, owner=stock.EVERYONE, critical=1)
        took_s = [end - begin for begin, end in raiser.raised().values()]
        rows = AlertNotification.objects.filter(state=NotificationState.PENDING)
        wanted = 2 * stock.PEOPLE
        records.must(rows.count() == ENQUEUED * wanted, f"{rows.count()} rows were made")
        return {"rate": wanted / percentile(took_s, 0.5)}


def urgent(stage: Stage) -> Sequence[Measure]:
    ahead = QUICK_AHEAD if stage.quick else AHEAD
    without, with_redis = take_turns(
        stage.runs,
        partial(_urgent, stage, ahead, redis=False),
        partial(_urgent, stage, ahead, redis=True),
    )
    what = f"CRITICAL raised behind {ahead:,} due: until with its gateway, the slowest of {URGENT}"
    return (
        Measure(name=what, unit="s", ours=without["slowest_s"], goal=Goal(most=1)),
        Measure(
            name="the same with Redis", unit="s", ours=with_redis["slowest_s"], goal=Goal(most=1)
        ),
    )


def _urgent(stage: Stage, ahead: int, *, redis: bool) -> Figures:
    with office.opened(stage, redis=redis) as own:
        person = stock.people()
        worker = own.worker(USUAL)
        due = plans.now() + timedelta(seconds=4 + ahead / MADE_A_SECOND)
        stock.notifications(person, ahead, due)
        own.site.settle()
        raiser = own.raiser(count=0, every_s=0, owner="person0", critical=1)  # fills the caches
        raiser.raised()
        plans.wait_for_due(due)
        raiser = own.raiser(count=URGENT, every_s=0.1, owner="person0", critical=1)
        raised = raiser.raised()
        mine = AlertNotification.objects.filter(channel=NULL, severity="CRITICAL")
        _wait_final(mine, PATIENCE_S)
        own.end(worker)
        left = records.check_so_far([message for _moment, message in own.accepted()])
        records.must(left > 0, "nothing was left to overtake when the last alert was raised")
        return {"slowest_s": max(_latencies_s(own, raised))}


def storm(stage: Stage) -> Sequence[Measure]:
    """In --quick a twentieth of it, and summaries gather for 3 s in place of a minute."""
    part = 20 if stage.quick else 1
    (ours,) = take_turns(stage.runs, partial(_storm, stage, STORM_ALERTS // part, STORM_S / part))
    what = f"{STORM_ALERTS // part:,} alerts in {STORM_S / part:g} s to {STORM_PEOPLE} people"
    return (
        Measure(
            name=f"{what}: CRITICAL from being raised until accepted, p99",
            unit="s",
            ours=ours["p99_s"],
            goal=Goal(most=2),
        ),
        Measure(
            name=f"{what}: from the first until the last was raised",
            unit="s",
            ours=ours["raised_s"],
            goal=Goal(),
        ),
        Measure(
            name=f"{what}: messages to one person that are not CRITICAL",
            unit="messages",
            ours=ours["others"],
            goal=Goal(most=20),
        ),
    )


def _storm(stage: Stage, alerts: int, length_s: float) -> Figures:
    with office.opened(stage) as own:
        summary_s = QUICK_SUMMARY_S if stage.quick else SUMMARY_S
        own.configure(SUMMARY_S=summary_s)
        stock.people(STORM_PEOPLE)
        own.site.settle()
        worker = own.worker(USUAL)
        raised = own.raiser(
            count=alerts,
            every_s=length_s / alerts,
            owner=stock.EVERYONE,
            critical=CRITICAL_EACH,
            threads=STORM_RAISERS,
        ).raised()
        _wait_final(AlertNotification.objects.all(), summary_s + PATIENCE_S)
        own.end(worker)
        severe = {name for name in raised if int(name.removeprefix("alert")) % CRITICAL_EACH == 0}
        found = _latencies_s(own, {name: raised[name] for name in severe})
        records.must(len(found) == len(severe) * STORM_PEOPLE, f"{len(found)} were CRITICAL")
        _check_storm(own, alerts)
        return {
            "p99_s": percentile(found, 0.99),
            "raised_s": max(end for _, end in raised.values())
            - min(begin for begin, _ in raised.values()),
            "others": (len(own.accepted()) - len(found)) / STORM_PEOPLE,
        }


def _wait_final(rows, patience_s: float) -> None:
    """Until none of `rows` is open; how many are final in a storm is not known before."""
    until_s = time.time() + patience_s
    while rows.exclude(state__in=FINAL_STATES).exists():
        if time.time() > until_s:
            raise WrongRecordError("not all were final in time")
        time.sleep(0.2)


def _check_storm(own: Office, alerts: int) -> None:
    """Each alert was told to each person, by a message of its own or by one summary that went out once."""
    rows = AlertNotification.objects.filter(channel=NULL)
    told = rows.exclude(kind=NotificationKind.SUMMARY)
    records.must(told.count() == alerts * STORM_PEOPLE, f"{told.count()} rows")
    not_sent = rows.exclude(state=NotificationState.SENT).count()
    records.must(not_sent == 0, f"{not_sent} rows were not sent")
    sent = {uuid.hex for uuid in rows.filter(carried_by=None).values_list("uuid", flat=True)}
    got = [message for _moment, message in own.accepted()]
    records.must(len(got) == len(sent) and set(got) == sent, "the gateway got something else")
    records.check_totals(NULL)


def idle(stage: Stage) -> Sequence[Measure]:
    count = QUICK_PICKED_UP if stage.quick else PICKED_UP
    without, with_redis = take_turns(
        stage.runs,
        partial(_idle, stage, count, redis=False),
        partial(_idle, stage, count, redis=True),
    )
    picked_up = f"idle worker: from the commit to the gateway, the slowest of {count}"
    return (
        Measure(
            name="idle worker: CPU with PostgreSQL's backends",
            unit="% of a core",
            ours=without["cpu"],
            goal=Goal(most=1),
        ),
        Measure(
            name="the same with Redis",
            unit="% of a core",
            ours=with_redis["cpu"],
            goal=Goal(most=1),
        ),
        Measure(
            name=f"{picked_up}, with Redis",
            unit="ms",
            ours=with_redis["slowest_ms"],
            goal=Goal(most=100),
        ),
        Measure(
            name=f"{picked_up}, without",
            unit="ms",
            ours=without["slowest_ms"],
            goal=Goal(most=1000),
        ),
    )


def _idle(stage: Stage, count: int, *, redis: bool) -> Figures:
    with office.opened(stage, redis=redis) as own:
        stock.people(1)
        own.site.settle()
        worker = own.worker(USUAL)
        time.sleep(1)  # what the start has left to do is no idling
        meter = Meter([worker.pid], own.site.server_url)
        meter.start()
        time.sleep(QUICK_IDLE_S if stage.quick else IDLE_S)
        cpu = meter.stop()
        raiser = own.raiser(count=count, every_s=PICK_EVERY_S, owner="person0", critical=1)
        raised = raiser.raised()
        records.wait_accepted(count)
        own.end(worker)
        records.check(count, [message for _moment, message in own.accepted()])
        slowest_s = max(_latencies_s(own, raised, since=1))
        return {"cpu": cpu, "slowest_ms": 1000 * slowest_s}


def _latencies_s(own: Office, raised: Times, *, since: int = 0) -> list[float]:
    """From the beginning (`since` 0) or the end (1) of raising until the gateway had each message.

    A message may be with its gateway before the caller has its thread back: that counts as 0.
    """
    rows = AlertNotification.objects.filter(channel=NULL, alert__fingerprint__in=list(raised))
    singly = rows.exclude(kind=NotificationKind.SUMMARY)
    names = {uuid.hex: name for uuid, name in singly.values_list("uuid", "alert__fingerprint")}
    return [
        max(moment - raised[names[message]][since], 0.0)
        for moment, message in own.accepted()
        if message in names
    ]
