"""What docs/channels.md shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from notifications_app.channels import registry
from tests import environment

PAGE = (environment.ROOT / "docs" / "channels.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))


def test_channel_of_the_page_keeps_the_contract(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    places = f"{tmp_path}:{environment.ROOT}"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-p", "no:randomly", str(tmp_path)],
        cwd=tmp_path, env=environment.clean(PYTHONPATH=places), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert "passed" in ran.stdout
    assert re.findall(r"SKIPPED .*: (.*)", ran.stdout) == ["make_hanging is not given"]


def test_channel_of_the_page_has_about_fifty_lines():
    lines = [line for line in FILES["ntfy_channel.py"].splitlines() if line.strip()]
    assert len(lines) <= 50


@pytest.mark.parametrize("channel", registry.BUILT_IN)
def test_page_names_every_option_of_every_channel(channel):
    names = (channel.option_names or frozenset()) - {"ENABLED", "RATE_LIMIT"}
    assert [name for name in sorted(names) if f"`{name}`" not in PAGE] == []
