from __future__ import annotations

import os

from project.configuration.variables import VARIABLES
from tests import environment


def test_every_declared_variable_is_neutral_in_tests():
    in_process = {one.name for one in VARIABLES.values() if one.only_process}
    assert VARIABLES.keys() - in_process <= environment.NEUTRAL.keys() <= VARIABLES.keys()


def test_process_of_a_test_sees_nothing_of_the_developers_shell(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://production/vigil")
    monkeypatch.setenv("VIGIL_LOG_STDOUT", "1")
    seen = environment.clean(REDIS_URL="redis://here")
    assert seen["DATABASE_URL"].startswith(f"sqlite:///{environment.FOLDER}")
    assert seen["REDIS_URL"] == "redis://here"
    assert "VIGIL_LOG_STDOUT" not in seen
    assert seen["PATH"] == os.environ["PATH"]
