"""The Celery executor: messages are doorbells; whatever happens to them, each run runs once and none is lost."""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter

import pytest
import redis
from kombu import Connection

from alerts_app.models import AlertRecord
from scheduler_app import claims
from scheduler_app.executors.doorbell import TASK
from scheduler_app.models import JobRun, Node, ScheduledJob
from scheduler_app.states import NodeKind, NodeState, Reason, RunState
from tests.factories import declaration
from tests.ledger import assert_figures_true
from tests.site import all_final, kill, states

LONG = bool(os.environ.get("VIGIL_TEST_LONG"))
NEVER = "0 0 1 1 *"
POOLS = ["prefork", "threads", "solo"] if LONG else ["prefork", "threads"]


@pytest.fixture
def celery_site(site, own_redis):
    """A site whose scheduler rings by way of a Redis of its own."""
    site.env |= {"SCHEDULER_EXECUTOR": "celery", "CELERY_BROKER_URL": own_redis.url}
    return site


@pytest.fixture
def queue():
    """A name that nobody else uses, on a broker that we share."""
    return f"vigil-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def broker_url(request, queue):
    """Of a Redis of this test's own, or of a RabbitMQ, on which `queue` and `queue`-heavy leave nothing behind."""
    if request.param == "redis":
        yield request.getfixturevalue("own_redis").url
        return
    url = request.getfixturevalue("rabbitmq_url")
    yield url
    with Connection(url) as connection:
        channel = connection.channel()
        for name in (queue, f"{queue}-heavy"):
            channel.queue_delete(name)
            channel.exchange_delete(name)


def run_now(job_id: str) -> JobRun:
    return claims.request_run(ScheduledJob.objects.get(pk=job_id))


def send(
    url: str,
    queue: str,
    *,
    times: int = 1,
    task: str = TASK,
    serializer: str = "json",
    args=(),
    **headers,
):
    """A message as Celery would send it, or nearly."""
    identity = uuid.uuid4().hex
    told = {"lang": "py", "task": task, "id": identity, "root_id": identity, **headers}
    body = (list(args), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None})
    with Connection(url) as connection:
        for _ in range(times):
            connection.Producer().publish(
                body,
                routing_key=queue,
                serializer=serializer,
                headers=told,
                correlation_id=identity,
            )


def assert_each_once(site) -> None:
    twice = {run: count for run, count in Counter(site.traced()).items() if count > 1}
    assert not twice, "bodies that started twice for one row"


@pytest.mark.parametrize(
    ("broker_url", "pool"), [("redis", "threads"), ("rabbitmq", "prefork")], indirect=["broker_url"]
)
def test_runs_go_to_the_workers_of_their_queue_and_are_told_as_everywhere(
    broker_url, site, wait_until, queue, pool
):
    site.env |= {"SCHEDULER_EXECUTOR": "celery", "CELERY_BROKER_URL": broker_url}
    heavy = f"{queue}-heavy"
    talking = {"callable": "talk_and_wait", "kwargs": {"seconds": 2}}
    endless = {"callable": "wait", "kwargs": {"seconds": 60}}
    site.declare(
        declaration("talk", **talking, cron=NEVER, queue=queue),
        declaration("endless", **endless, cron=NEVER, queue=queue, timeout_s=1.0),
        declaration("big", callable="speak", cron=NEVER, queue=heavy),
    )
    first = site.celery_worker(pool=pool, queues=queue, ready=False)
    site.scheduler()
    talk, ended, big = (run_now(job_id) for job_id in ("talk", "endless", "big"))
    wait_until(lambda: "half way" in JobRun.objects.get(pk=talk.pk).progress_text, 20)
    assert (states("talk"), states("big")) == (["RUNNING"], ["QUEUED"])
    assert "on my way" in JobRun.objects.get(pk=talk.pk).log
    site.celery_worker(pool=pool, queues=heavy)
    wait_until(all_final, 20)
    assert [states(job_id) for job_id in ("talk", "endless", "big")] == [
        ["SUCCESS"],
        ["TIMEOUT"],
        ["SUCCESS"],
    ]
    big.refresh_from_db()
    assert "a log line" in big.log
    assert "a printed line" in big.log
    assert Node.objects.get(pk=big.node).queues == heavy
    ids = {talk.pk, ended.pk, big.pk}
    wait_until(lambda: {r["run_id"] for r in site.logged("job_completed")} == ids)
    assert {r["run_id"] for r in site.logged("job_run_success", "job_run_failed")} == ids
    assert first.process.poll() is None
    assert_figures_true()


def test_messages_delivered_again_and_forged_ones_run_nothing_twice_and_nothing_unknown(
    celery_site, own_redis, wait_until
):
    site, url = celery_site, own_redis.url
    site.declare(
        site.noting("a", cron=NEVER),
        site.noting("long", callable="note_and_wait", cron=NEVER, kwargs={"seconds": 6}),
    )
    worker = site.celery_worker(concurrency=3, app="tests.celery_impatient", ready=False)
    site.scheduler()
    long = run_now("long")  # six times as long as the broker waits before it delivers again
    wait_until(lambda: states("long") == ["RUNNING"])
    first = run_now("a")
    send(url, "default", times=5, redelivered=True)
    send(url, "default", args=[first.pk])
    send(url, "default", args=["tests.jobs", "note", {"path": str(site.trace)}])
    send(url, "default", task="tests.jobs.note", args=[str(site.trace)])
    send(url, "default", serializer="pickle")
    with redis.Redis.from_url(url) as client:
        wait_until(lambda: states("a") == ["SUCCESS"] and not client.llen("default"))
    second = run_now("a")  # the worker is well
    wait_until(all_final, 15)
    assert {run.state for run in JobRun.objects.all()} == {RunState.SUCCESS}
    assert site.traced() == [str(run.pk) for run in (long, first, second)]
    assert len(list(site.logged("doorbell_not_ours"))) == 2
    assert worker.process.poll() is None


def test_runs_whose_messages_are_lost_run_all_the_same(celery_site, own_redis, wait_until):
    site = celery_site
    site.declare(
        site.noting(
            "a", callable="note_and_wait", cron=NEVER, overlap="parallel", kwargs={"seconds": 0.1}
        )
    )
    site.celery_worker(concurrency=4, ready=False)
    site.scheduler()
    for _ in range(50):
        run_now("a")
    with redis.Redis.from_url(own_redis.url) as client:
        while not all_final():
            client.flushall()
            time.sleep(0.1)  # the instants of the loss, not a wait
    assert states("a") == ["SUCCESS"] * 50
    assert len(site.traced()) == 50
    assert_each_once(site)


def test_broker_that_is_down_delays_and_loses_nothing(celery_site, own_redis, wait_until):
    site = celery_site
    site.declare(site.noting("beat", cron="every 1 s", overlap="parallel"))
    worker = site.celery_worker(pool="prefork", ready=False)
    scheduler = site.scheduler()
    wait_until(lambda: "SUCCESS" in states("beat"))
    own_redis.stop()
    wait_until(lambda: states("beat").count("QUEUED") >= 4)
    own_redis.start()
    wait_until(lambda: states("beat").count("SUCCESS") >= 8, 20)
    assert set(states("beat")) <= {"SUCCESS", "QUEUED", "RUNNING"}
    assert [len(list(site.logged(e))) for e in ("broker_unreachable", "broker_back")] == [1, 1]
    assert scheduler.process.poll() is None
    assert worker.process.poll() is None
    assert_each_once(site)


def test_runs_of_killed_workers_are_lost_within_the_lease(celery_site, wait_until):
    site = celery_site
    site.declare(*[hanging(pool) for pool in POOLS])
    workers = start_one_of_each_pool(site)
    runs = [run_now(pool) for pool in POOLS]
    wait_until(lambda: all(states(pool) == ["RUNNING"] for pool in POOLS))
    for worker in workers:
        kill(worker)
    wait_until(all_final, 10)  # the lease is 3 s
    for run in runs:
        run.refresh_from_db()
        assert (run.state, run.reason) == (RunState.LOST, Reason.NODE_DIED)
        assert Node.objects.get(pk=run.node).state == NodeState.DEAD
    assert {alert.labels["state"] for alert in AlertRecord.objects.all()} == {"LOST"}


def test_workers_end_in_time_though_a_job_hangs(celery_site, wait_until):
    site = celery_site
    site.declare(
        *[hanging(pool) for pool in POOLS],
        declaration("ends", callable="wait", kwargs={"seconds": 2}, cron=NEVER, queue="threads"),
        declaration("after", cron=NEVER, queue="threads"),
    )
    workers = start_one_of_each_pool(site)
    runs = [run_now(pool) for pool in POOLS]
    run_now("ends")
    wait_until(lambda: JobRun.objects.filter(state="RUNNING").count() == len(POOLS) + 1)
    begun_s = time.monotonic()
    for worker in workers:
        worker.process.terminate()
    wait_until(lambda: list(site.logged("celery_node_stopping")))
    run_now("after")
    assert [worker.wait(12) for worker in workers] == [0] * len(workers)
    assert time.monotonic() - begun_s < 10
    for run in runs:
        run.refresh_from_db()
        assert (run.state, run.reason) == (RunState.LOST, Reason.SHUTDOWN)
    assert (states("ends"), states("after")) == (["SUCCESS"], ["QUEUED"])
    assert not Node.objects.filter(kind=NodeKind.CELERY, state=NodeState.ALIVE).exists()
    assert_figures_true()


def hanging(pool: str):
    """A job of that name for the workers of that queue."""
    return declaration(pool, callable="wait", kwargs={"seconds": 60}, cron=NEVER, queue=pool)


def start_one_of_each_pool(site):
    """Beside a scheduler; each serves the queue that is named like its pool."""
    workers = [site.celery_worker(pool=pool, queues=pool, ready=False) for pool in POOLS]
    site.scheduler()
    return workers
