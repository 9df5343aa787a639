"""The files of deploy/, and what the README says of settings and commands."""

from __future__ import annotations

import ast
import configparser
import os
import re
import runpy
import shutil
import subprocess

import pytest
from django.apps import apps
from django.core.management import get_commands

from project.configuration.variables import PAGE, VARIABLES
from tests.environment import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
READMES = [ROOT / "README.md", ROOT / "README.zh-hans.md"]
METRIC = re.compile(r"(?<![:\w])scheduler_\w+")


@pytest.fixture(scope="module")
def promtool():
    """The path of promtool; without one its tests are left out, and fail where CI is set."""
    path = shutil.which("promtool")
    if not path and os.environ.get("CI"):
        pytest.fail("CI is set and there is no promtool: apt install prometheus")
    if not path:
        pytest.skip("there is no promtool: apt install prometheus")
    return path


def run(*command, cwd=ROOT):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_prometheus_accepts_the_rules(promtool):
    code, said = run(promtool, "check", "rules", "rules.yml", cwd=PROMETHEUS)
    assert code == 0, said
    assert "SUCCESS: 16 rules" in said


def test_the_rules_fire_when_they_should_and_only_then(promtool):
    code, said = run(promtool, "test", "rules", "tests.yml", cwd=PROMETHEUS)
    assert code == 0, said


def test_a_rule_that_never_fires_is_noticed(promtool, tmp_path):
    """The tests of the rules can fail: with the ratio taken of rates, five of ten stay silent."""
    shutil.copytree(PROMETHEUS, tmp_path, dirs_exist_ok=True)
    rules = tmp_path / "rules.yml"
    text = rules.read_text().replace("failure_share:increase30m > 0.3", "failure:rate5m > 0.3")
    rules.write_text(text)
    code, said = run(promtool, "test", "rules", "tests.yml", cwd=tmp_path)
    assert code != 0
    assert "VigilChannelFailureShare" in said


def test_prometheus_accepts_its_configuration(promtool, tmp_path):
    shutil.copytree(PROMETHEUS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "vigil.token").write_text("a token")
    code, said = run(promtool, "check", "config", "prometheus.yml", cwd=tmp_path)
    assert code == 0, said


@pytest.mark.django_db
def test_every_metric_of_the_rules_is_exported():
    used = set(METRIC.findall((PROMETHEUS / "rules.yml").read_text()))
    assert used - exported() == set()


@pytest.mark.django_db
def test_every_metric_of_the_guide_is_exported():
    for name in ("operations.md", "operations.zh-hans.md"):
        text = (ROOT / "docs" / name).read_text()
        table = "\n".join(line for line in text.splitlines() if line.startswith("| `scheduler_"))
        named = set(METRIC.findall(table))
        assert len(named) > 15
        assert named - exported() == set(), name


def exported():
    from scheduler_app import metrics
    from scheduler_app.clock import db_now

    return set(METRIC.findall(metrics.exposition(db_now())))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_ends_in_time_and_is_hardened(unit):
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str
    parsed.read_string(unit.read_text())
    service = parsed["Service"]
    assert service["Type"] in ("exec", "notify")
    assert service["Restart"] == "always"
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) >= 15
    assert service["User"] == "vigil"
    assert {service[name] for name in ("NoNewPrivileges", "PrivateTmp", "ProtectHome")} == {"yes"}
    assert service["ProtectSystem"] == "strict"
    assert "/srv/vigil/var" in service["ReadWritePaths"].split()
    assert parsed["Install"]["WantedBy"] == "multi-user.target"


def test_the_units_start_web_scheduler_and_worker():
    starts = " ".join(line for unit in UNITS for line in unit.read_text().splitlines()
                      if line.startswith("ExecStart="))  # fmt: skip
    for word in (
        "gunicorn project.wsgi",
        "manage.py runscheduler",
        "manage.py notification_worker",
        "celery --quiet -A project worker",
    ):
        assert word in starts


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_systemd_finds_no_fault_in_the_units(tmp_path):
    venv = ROOT / ".venv"
    for unit in UNITS:
        text = unit.read_text().replace("/srv/vigil/.venv", str(venv))
        (tmp_path / unit.name).write_text(text.replace("/srv/vigil", str(ROOT)))
    code, said = run("systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir())))
    ours = [line for line in said.splitlines() if "vigil-" in line]
    assert (code, ours) == (0, [])


def test_nginx_overwrites_what_vigil_believes():
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in text
    assert "proxy_pass http://127.0.0.1:8000;" in text


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.name)
def test_the_table_of_settings_names_declared_variables(readme):
    names = first_cells(readme, "SECRET_KEY")
    assert {"DATABASE_URL", "SITE_URL", "ADMIN_EMAIL"} <= names <= VARIABLES.keys()


def test_each_variable_is_declared_and_read():
    read = {name for name in variables() if name in VARIABLES}
    assert read == variables()
    unread = {one.name for one in VARIABLES.values() if not one.channel and not one.only_process}
    assert unread == read


def test_the_reference_of_variables_is_up_to_date():
    page = runpy.run_path(str(ROOT / "scripts/make_configuration_page.py"))["page"]()
    assert (ROOT / PAGE).read_text() == page, "run scripts/make_configuration_page.py"


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.name)
def test_the_table_of_commands_is_complete(readme):
    ours = {config.name for config in apps.get_app_configs() if config.name.endswith("_app")}
    commands = {name for name, app in get_commands().items() if app in ours or app == "project"}
    assert first_cells(readme, "runscheduler") == commands


def first_cells(path, first):
    """The first column of the table that begins with `first`."""
    table = path.read_text().partition(f"| `{first}` |")
    rows = "".join(table[1:]).partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)` \|", rows, flags=re.M))


def variables():
    """Every name that the project reads: `env["NAME"]` or `environment()["NAME"]`."""
    return {
        node.slice.value
        for path in (ROOT / "project").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript)
        and ast.unparse(node.value).rpartition(".")[2] in ("env", "environment()")
        and isinstance(node.slice, ast.Constant)
    }


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")) + READMES,
                         ids=lambda page: page.name)  # fmt: skip
def test_links_of_the_documentation_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []
