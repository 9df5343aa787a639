"""An id that was copied from a page, or pasted with what came along, finds its row by every door."""

from __future__ import annotations

import io
import re
from html import unescape
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.template import Context, Template

from scheduler_app.models import JobRun
from scheduler_app.texts import typed
from tests import factories
from tests.integration.pages.conftest import finish

pytestmark = pytest.mark.django_db

JOB = "nightly_export.of_all"
PASTED = [
    "nightly_\u200bexport.\u200bof_\u200ball",
    f"\u00a0{JOB}\u3000\n",
    f"\ufeff{JOB}\u2060",
    "nightly_\u00adexport.of\u200d_all\u200e",
]
pasted = pytest.mark.parametrize("text", PASTED)


@pytest.fixture
def boss(client, monkeypatch):
    factories.sync_allowed(monkeypatch, factories.make_job(JOB))
    finish(JOB, "SUCCESS")
    client.force_login(factories.make_user("boss", is_staff=True, is_superuser=True))
    return client


@pasted
def test_what_was_pasted_is_the_id(text):
    assert typed(text) == JOB


@pytest.mark.parametrize("name", [JOB, "a<b>_&.'x'", "", "plain", "._."])
def test_a_name_on_a_page_breaks_without_a_character_of_its_own(name):
    html = Template("{% load vigil %}{{ name|words }}").render(Context({"name": name}))
    assert unescape(html.replace("<wbr>", "")) == name
    assert html.count("<wbr>") == len(re.findall(r"[_.]", name))


def test_no_page_has_characters_without_a_width(boss):
    for address in ("/", "/jobs/", f"/jobs/{JOB}/", "/runs/", "/nodes/"):
        assert not re.search("[\u200b-\u200f\u2060\ufeff]", boss.get(address).content.decode())


@pasted
def test_pages_find_it(boss, text):
    typed_in = quote(text)
    assert f'id="vg-job-{JOB}"' in boss.get(f"/jobs/?q={typed_in}").content.decode()
    assert 'id="vg-run-' in boss.get(f"/runs/?job={typed_in}").content.decode()
    if "\n" not in text:
        assert boss.get(f"/jobs/{typed_in}/").status_code == 200
    assert JOB in boss.get(f"/admin/scheduler_app/scheduledjob/?q={typed_in}").content.decode()


@pasted
def test_the_api_finds_it(boss, text):
    typed_in = quote(text)
    api = "/api/v1/scheduler"
    assert boss.get(f"{api}/jobs/{quote(text.strip())}").json()["job_id"] == JOB
    for address in (f"{api}/jobs?q={typed_in}", f"{api}/runs?job={typed_in}"):
        assert [row["job_id"] for row in boss.get(address).json()["results"]] == [JOB], address


@pasted
def test_commands_find_it(boss, text):
    call_command("run_job", text, stdout=io.StringIO(), stderr=io.StringIO())
    run = JobRun.objects.latest("pk")
    assert (run.job_id, run.state) == (JOB, "QUEUED")
    call_command("slots", "--job", text, stdout=io.StringIO(), stderr=io.StringIO())
    call_command("cancel_run", f"#{run.pk}\u200b", stdout=io.StringIO(), stderr=io.StringIO())
    assert JobRun.objects.get(pk=run.pk).state == "CANCELLED"
