"""Channels of others: found by entry points and by a setting, and never in the way when they are broken."""

from __future__ import annotations

import sys

import pytest
from django.core.checks import run_checks

from notifications_app.channels import registry
from notifications_app.channels.system.channel import SystemChannel
from tests.messages import message, person


class Pigeon(SystemChannel):
    name = "PIGEON"
    option_names = None


class Moody(SystemChannel):
    name = "MOODY"

    def __init__(self, options):
        raise RuntimeError("not today")


class Unfinished(registry.Channel):
    name = "UNFINISHED"


class Impostor(SystemChannel):
    name = "EMAIL"


HERE = __name__


@pytest.fixture
def extra(settings):
    """`extra(NAME=path)` sets EXTRA_CHANNELS."""

    def set_extra(more=None, **paths):
        settings.VIGIL_NOTIFICATIONS = {"EXTRA_CHANNELS": paths, **(more or {})}

    return set_extra


@pytest.fixture
def installed(tmp_path, monkeypatch, settings):
    """`installed("NAME = module:Class")`: as a package that is installed."""

    def install(*lines):
        info = tmp_path / "pigeons-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeons\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[vigil.channels]", *lines]))
        monkeypatch.syspath_prepend(str(tmp_path))
        settings.VIGIL_NOTIFICATIONS = {}

    yield install
    registry._found.cache_clear()


def findings():
    return {one.id: f"{one.msg} {one.hint}" for one in run_checks(tags=["vigil"])}


def test_channel_of_a_setting_is_one_of_all(extra):
    extra(PIGEON=f"{HERE}.Pigeon")
    assert registry.names()[-1] == "PIGEON"
    channel = registry.create("PIGEON", {"COLOUR": "grey"})
    assert channel.address(person()) == "Wang Wei"
    assert findings() == {}


def test_channel_of_an_installed_package_is_one_of_all(installed):
    installed(f"PIGEON = {HERE}:Pigeon")
    assert "PIGEON" in registry.names()
    assert registry.create("PIGEON", {}).problem() == ""


def test_channel_that_is_named_twice_is_there_once(installed, settings):
    installed(f"PIGEON = {HERE}:Pigeon")
    settings.VIGIL_NOTIFICATIONS = {"EXTRA_CHANNELS": {"PIGEON": f"{HERE}.Pigeon"}}
    assert registry.names().count("PIGEON") == 1
    assert registry.broken() == ()


def test_channel_reads_the_dict_of_its_name(extra):
    extra({"PIGEON": {"COLOUR": "grey"}}, PIGEON=f"{HERE}.Pigeon")
    assert findings() == {}
    extra({"PIGEON": "grey"}, PIGEON=f"{HERE}.Pigeon")
    assert "VIGIL_NOTIFICATIONS['PIGEON'] is not a dict" in findings()["vigil_notifications.E002"]


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("PIGEON", "nowhere.at.All", "it cannot be imported: ModuleNotFoundError"),
        ("PIGEON", f"{HERE}.Dove", "it cannot be imported: ImportError"),
        ("PIGEON", "notadottedpath", "it cannot be imported: ImportError"),
        ("pigeon", f"{HERE}.Pigeon", "its name is not up to 32 capital letters"),
        ("P" * 33, f"{HERE}.Pigeon", "its name is not up to 32 capital letters"),
        ("DOVE", f"{HERE}.Pigeon", "its class calls itself 'PIGEON'"),
        ("EMAIL", f"{HERE}.Impostor", "there is a channel EMAIL already"),
        ("PIGEON", f"{HERE}.findings", "it is no subclass of"),
        ("UNFINISHED", f"{HERE}.Unfinished", "it does not have all of the contract: address,"),
    ],
)
def test_broken_channel_is_a_finding_and_the_others_go_on(extra, name, path, said):
    extra(**{name: path})
    assert registry.names() == tuple(kind.name for kind in registry.BUILT_IN)
    found = findings()["vigil_notifications.W002"]
    assert said in found
    assert f"['EXTRA_CHANNELS'][{name!r}]" in found
    assert "docs/channels.md" in found


def test_broken_entry_point_is_a_finding_that_names_it(installed):
    installed("DOVE = nowhere.at.all:Dove")
    found = findings()["vigil_notifications.W002"]
    assert "the entry point DOVE = nowhere.at.all:Dove is no channel" in found


def test_channel_that_cannot_be_made_says_so_and_sends_nothing(extra, caplog):
    extra(MOODY=f"{HERE}.Moody")
    channel = registry.create("MOODY", {})
    assert channel.name == "MOODY"
    assert channel.problem() == "MOODY cannot be made: RuntimeError: not today"
    (outcome,) = channel.send([message()])
    assert "not today" in str(outcome.error)


def test_nothing_of_others_is_imported_without_being_named():
    assert "nowhere" not in sys.modules
    assert registry.broken() == ()
