"""Links in messages lead to the page wherever the project is served."""

from __future__ import annotations

import threading

import pytest
from django.test import override_settings
from django.urls import include, path, set_script_prefix

from scheduler_app import links

urlpatterns = [path("ops/", include("scheduler_app.urls"))]


@pytest.fixture
def prefix():
    """The script prefix of this thread, as a request sets it."""
    yield set_script_prefix
    set_script_prefix("/")


@pytest.mark.parametrize(
    ("site_url", "script_name", "link"),
    [
        ("https://a.example", None, "https://a.example/runs/11/"),
        ("https://a.example/", None, "https://a.example/runs/11/"),
        ("https://a.example/vigil", None, "https://a.example/vigil/runs/11/"),
        ("https://a.example/vigil/", "/vigil", "https://a.example/vigil/runs/11/"),
        ("https://a.example", "/vigil", "https://a.example/vigil/runs/11/"),
        ("https://a.example", "/vigil/", "https://a.example/vigil/runs/11/"),
        ("https://a.example/x/y", "/y", "https://a.example/x/y/runs/11/"),
        ("", "/vigil", ""),
    ],
)
@pytest.mark.parametrize("in_request", [True, False])
def test_link_begins_where_the_site_does(prefix, site_url, script_name, link, in_request):
    with override_settings(FORCE_SCRIPT_NAME=script_name):
        if in_request:
            prefix((script_name or "").rstrip("/") + "/")
        assert links.absolute(site_url, "vigil_scheduler:run", 11) == link
        local = ("/vigil" if script_name == "/vigil" else "") + "/runs/11/"
        if script_name in (None, "/vigil"):
            assert links.local("vigil_scheduler:run", 11) == local


@override_settings(ROOT_URLCONF=__name__)
def test_link_follows_the_include_and_is_empty_where_there_is_no_page():
    found = []
    names = ("vigil_scheduler:run", "vigil_nowhere:run")
    ask = lambda: found.extend(links.absolute("http://a", name, 1) for name in names)  # noqa: E731
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found == ["http://a/ops/runs/1/", ""]
