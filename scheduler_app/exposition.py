"""Prometheus's text format 0.0.4 (pure): families of samples become lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from scheduler_app.histogram import cumulative

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Sample = tuple[Labels, float]
Distribution = tuple[Labels, Mapping[int, int], float]
"""Labels, the cells of a histogram (see `histogram.py`) and the sum of its values in ms."""


def counter(name: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """A family whose values only grow; `name` ends in `_total`."""
    return _family(name, "counter", text, samples)


def gauge(name: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    return _family(name, "gauge", text, samples)


def histogram(name: str, text: str, rows: Iterable[Distribution]) -> Iterator[str]:
    """Each row as at most 15 buckets, its sum and its count."""
    yield from _head(name, "histogram", text)
    for labels, cells, sum_ms in rows:
        buckets = cumulative(cells)
        for bound, seen in buckets:
            yield _line(f"{name}_bucket", {**labels, "le": _number(bound)}, seen)
        yield _line(f"{name}_sum", labels, sum_ms)
        yield _line(f"{name}_count", labels, buckets[-1][1])


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield from _head(name, kind, text)
    for labels, value in samples:
        yield _line(name, labels, value)


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {_escaped(text)}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Labels, value: float) -> str:
    pairs = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels.items())
    return f"{name}{{{pairs}}} {_number(value)}" if pairs else f"{name} {_number(value)}"


def _number(value: float) -> str:
    return "+Inf" if value == math.inf else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
