from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db

VERIFY = "/api/v1/scheduler/verify"


def test_report_says_that_no_node_lives(staff):
    report = staff.get(VERIFY).json()
    assert report["ok"] is False
    assert report["findings"]


def test_unusable_job_file_is_a_report_too(staff, settings):
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "JOB_FILE": "tests.no_such_file"}
    answer = staff.get(VERIFY)
    assert answer.status_code == 200
    assert answer.json()["ok"] is False
    assert "tests.no_such_file" in answer.json()["faults"][0]
