"""How the figures are shown: a table, a file of JSON, a table in Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.measure import Measure

COLUMNS = ("measure", "unit", "ours", "peer", "peer's name", "ratio", "goal", "ok")


def table(measures: Sequence[Measure], console: Console) -> None:
    shown = Table(*COLUMNS, box=None, pad_edge=False)
    for measure in measures:
        cells = [Text(cell) for cell in _cells(measure)]
        cells[-1].stylize("green" if measure.ok else "bold red")
        shown.add_row(*cells)
    console.print(shown)


def markdown(measures: Sequence[Measure]) -> str:
    lines = [COLUMNS, ["---"] * len(COLUMNS), *map(_cells, measures)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_json(path: Path, suite: str, machine: str, measures: Sequence[Measure]) -> None:
    path.write_text(json.dumps(as_dict(suite, machine, measures), ensure_ascii=False, indent=2))


def as_dict(suite: str, machine: str, measures: Sequence[Measure]) -> dict[str, Any]:
    return {
        "suite": suite,
        "machine": machine,
        "measures": [measure.as_dict() for measure in measures],
    }


def _cells(measure: Measure) -> tuple[str, ...]:
    return (
        measure.name,
        measure.unit,
        _number(measure.ours),
        _number(measure.peer),
        measure.peer_name,
        _number(measure.ratio),
        str(measure.goal),
        "yes" if measure.ok else "NO",
    )


def _number(value: float | None) -> str:
    """Three significant figures, no exponent."""
    if value is None:
        return ""
    size = abs(value)
    digits = next((digits for least, digits in ((100, 0), (10, 1), (1, 2)) if size >= least), 4)
    return f"{value:,.{digits}f}"
