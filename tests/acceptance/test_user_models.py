"""The whole story with user models of foreign projects: any type of key, with and without address and groups."""

from __future__ import annotations

import pytest

from tests import servers
from tests.crawler import leads_nowhere
from tests.plain import Plain

PLACES = [
    ("sqlite", "UuidPerson"), ("postgresql", "UuidPerson"),
    ("postgresql", "NamedPerson"), ("sqlite", "PrefixedPerson"),
]  # fmt: skip


@pytest.fixture
def database(request):
    """The URL of an empty database; "" for the SQLite file of the project."""
    if request.param == "sqlite":
        yield ""
        return
    with servers.postgres_database(request.getfixturevalue("postgres_server_url")) as url:
        yield url


@pytest.mark.parametrize(("database", "user"), PLACES, indirect=["database"])
def test_failing_job_is_told_and_every_page_opens(user, database, tmp_path):
    project = Plain(tmp_path, VIGIL_TEST_USER=user, VIGIL_TEST_DATABASE_URL=database)
    assert "no issues" in project.run("django", "check")
    told = project.story()
    assert told["runs"] == {"succeed": "SUCCESS", "fail": "FAILED"}
    assert ["admin", "SYSTEM", "SENT"] in told["notifications"]
    assert leads_nowhere(told["pages"]) == {}
    assert len(told["pages"]) > 40
    assert "admin" in project.run("django", "who_is_told", "fail")
    test = ("send_test", "--channel", "SYSTEM", "--to", "admin", "--wait", "0.1")
    assert "is queued" in project.run("django", *test, code=1)
    project.run("django", "notification_worker", "--drain")
    project.run("django", "notifications", "dead", "--person", "admin")
    project.run("django", "notifications", "trace", "1")
