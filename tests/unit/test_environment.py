from __future__ import annotations

import os
import re

from tests import environment


def test_every_variable_that_settings_read_is_neutral_in_tests():
    text = (environment.ROOT / "project/settings.py").read_text()
    read = set(re.findall(r'\bconfig\(\s*"([A-Z0-9_]+)"', text))
    assert len(read) > 20
    assert read <= environment.NEUTRAL.keys()


def test_process_of_a_test_sees_nothing_of_the_developers_shell(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://production/vigil")
    monkeypatch.setenv("VIGIL_LOG_STDOUT", "1")
    seen = environment.clean(REDIS_URL="redis://here")
    assert seen["DATABASE_URL"].startswith(f"sqlite:///{environment.FOLDER}")
    assert seen["REDIS_URL"] == "redis://here"
    assert "VIGIL_LOG_STDOUT" not in seen
    assert seen["PATH"] == os.environ["PATH"]
