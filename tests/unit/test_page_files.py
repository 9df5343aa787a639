"""The files that browsers load: vendored ones are what they say, the style sheet keeps to itself."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "scheduler_app" / "static" / "scheduler_app"
VENDOR = FOLDER / "vendor"
SHEET = (FOLDER / "vigil.css").read_text()
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())["files"]
PAIRS = (
    ("text", "ground"), ("text", "surface"), ("text", "raised"), ("dim", "ground"),
    ("dim", "surface"), ("dim", "raised"), ("accent", "surface"), ("accent", "ground"),
    ("on-accent", "accent"), ("ok", "ok-ground"), ("bad", "bad-ground"), ("warn", "warn-ground"),
    ("busy", "busy-ground"), ("bad", "surface"), ("ok", "surface"), ("warn", "surface"),
    ("text", "warn-ground"), ("heat-text", "heat-1"), ("heat-text", "heat-2"),
    ("heat-text", "heat-3"), ("heat-text-strong", "heat-4"), ("heat-text-strong", "heat-5"),
)  # fmt: skip


def tokens(theme):
    pattern = r"--vg-([\w-]+): light-dark\((#\w{6}), (#\w{6})\)"
    return {
        name: (light, dark)[theme == "dark"] for name, light, dark in re.findall(pattern, SHEET)
    }


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(theme):
    colours = tokens(theme)
    weak = {
        pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2)
        for pair in PAIRS
        if contrast(colours[pair[0]], colours[pair[1]]) < 4.5
    }
    assert weak == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_edges_of_controls_stand_out(theme):
    colours = tokens(theme)
    assert contrast(colours["edge"], colours["surface"]) >= 3


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["name"])
def test_a_vendored_file_is_the_one_of_the_manifest(entry):
    assert hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert (VENDOR / entry["licence_file"]).read_text().strip()
    assert entry["version"] in entry["file"]


def test_every_vendored_file_is_in_the_manifest():
    named = {entry[key] for entry in MANIFEST for key in ("file", "licence_file")}
    assert {path.name for path in VENDOR.iterdir()} == named | {"manifest.json"}


def test_the_style_sheet_keeps_to_its_layer_and_its_prefix():
    rules = re.sub(r'/\*.*?\*/|"[^"]*"', "", SHEET, flags=re.DOTALL).strip()
    assert rules.startswith("@layer vigil {")
    classes = set(re.findall(r"\.([a-zA-Z][\w-]*)", rules))
    assert {name for name in classes if name != "vg" and not name.startswith("vg-")} == set()
    assert re.search(r"url\(|@import", SHEET) is None
