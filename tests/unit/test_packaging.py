"""pyproject.toml and the requirements files agree, and the version stands in one place."""

from __future__ import annotations

import tomllib

import scheduler_app
from project import settings
from tests.environment import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_site_installs_what_the_apps_and_their_extras_need():
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    installed = set((ROOT / "requirements.txt").read_text().splitlines())
    assert {*PROJECT["dependencies"], *extras} <= installed


def test_the_version_stands_in_the_package_alone():
    assert "version" not in PROJECT
    assert settings.SPECTACULAR_SETTINGS["VERSION"] == scheduler_app.__version__
