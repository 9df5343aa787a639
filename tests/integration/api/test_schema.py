from __future__ import annotations

import re

import pytest
import yaml
from django.core.management import call_command


def test_description_is_valid_and_without_warnings(tmp_path):
    target = tmp_path / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(target))
    document = yaml.safe_load(target.read_text())
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert {tag for one in operations for tag in one["tags"]} == {
        "alerts", "channels", "inbox", "jobs", "metrics", "nodes", "notifications", "runs",
        "settings", "slots",
    }  # fmt: skip
    assert all(one["description"] for one in operations)


@pytest.mark.django_db
def test_schema_is_for_people_who_signed_in(plain):
    answer = plain.get("/api/schema")
    assert answer.status_code == 200
    assert b"/api/v1/scheduler/jobs/" in answer.content


@pytest.mark.django_db
def test_docs_load_nothing_from_elsewhere(plain):
    page = plain.get("/api/docs/").content.decode()
    assert "swagger-ui-bundle.js" in page
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)


@pytest.mark.django_db
def test_docs_send_strangers_to_the_login(anonymous):
    answer = anonymous.get("/api/docs")
    assert answer.status_code == 302
    assert answer["Location"] == "/login/?next=/api/docs"
