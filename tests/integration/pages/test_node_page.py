from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler_app import conf, nodes
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, Node, SyncedFile
from scheduler_app.states import NodeKind
from tests.factories import make_job, make_node, start_run

pytestmark = pytest.mark.django_db


def html(client):
    return client.get("/nodes/").content.decode()


def test_before_anything_was_started_the_page_says_what_to_start(as_staff):
    text = html(as_staff)
    assert "manage.py runscheduler" in text
    assert "manage.py notification_worker" in text


def test_living_nodes_say_what_they_run(as_staff):
    make_job("nightly")
    node = make_node(tick_at=db_now(), slots_busy=1, clock_offset_ms=-12.4)
    run = start_run("nightly", node)
    text = html(as_staff)
    assert f'href="/runs/{run.pk}/"' in text
    assert "1 / 4" in text
    assert "-12 ms" in text
    assert "1 scheduler ticks" in text
    assert "No scheduler ticks" not in text


def test_more_runs_than_are_shown_are_counted(as_staff):
    job, node, now = make_job("nightly"), make_node(tick_at=db_now()), db_now()
    JobRun.objects.bulk_create(
        JobRun(
            job=job, trigger="MANUAL", state="RUNNING", node=node.pk, ready_at=now, queued_at=now
        )
        for _ in range(25)
    )
    assert "and 20 more" in html(as_staff)


def test_a_node_with_another_job_file_than_the_one_in_force_is_marked(as_staff):
    for digest in ("old0", "new0"):
        SyncedFile.objects.create(source=conf.get().JOB_FILE, digest=digest, synced_at=db_now())
    make_node(tick_at=db_now(), file_digest="new0")
    assert "other job file" not in html(as_staff)
    odd = make_node(tick_at=db_now(), file_digest="old0", file_problem="older: token=abcdefgh")
    lines = as_staff.get("/nodes/").context["living"]
    assert [line.node.pk for line in lines if line.is_other_file] == [odd.pk]
    text = html(as_staff)
    assert "other job file" in text
    assert "older: token=***" in text


def test_without_a_ticking_scheduler_the_page_says_so(as_staff):
    make_node(tick_at=db_now() - timedelta(minutes=1))
    nodes.register(NodeKind.WORKER, lease_s=15, slots=4)
    text = html(as_staff)
    assert "No scheduler ticks" in text
    assert "does not tick" in text
    assert "runscheduler --explain" in text


def test_draining_and_ended_nodes_are_told_apart(as_staff):
    make_node(tick_at=db_now(), draining=True)
    ended = make_node()
    nodes.retire(ended.pk)
    context = as_staff.get("/nodes/").context
    assert [line.condition for line in context["living"]] == ["DRAINING"]
    assert [line.node.pk for line in context["ended"]] == [ended.pk]
    assert "finishes its runs" in html(as_staff)


def test_the_page_costs_the_same_for_many_nodes(as_staff, django_assert_max_num_queries):
    html(as_staff)
    for _ in range(8):
        make_node(tick_at=db_now())
    nodes.retire(Node.objects.latest("pk").pk)
    with django_assert_max_num_queries(13):
        html(as_staff)


def test_the_navigation_leads_there(as_staff):
    assert '<a href="/nodes/"' in as_staff.get("/jobs/").content.decode()
