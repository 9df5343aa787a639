"""The frame of the benchmarks: medians, ratios, goals and what is written. Nothing is timed here."""

from __future__ import annotations

import json

import pytest

from benchmarks import report
from benchmarks.__main__ import parser
from benchmarks.measure import Goal, Measure, medians, percentile, take_turns


def measure(**fields):
    given = {"name": "burst", "unit": "runs/s", "ours": 6000.0, "goal": Goal(), **fields}
    return Measure(**given)


def test_median_of_each_figure_over_the_runs():
    runs = [
        {"rate": 3.0, "p99_ms": 9.0},
        {"rate": 1.0, "p99_ms": 50.0},
        {"rate": 2.0, "p99_ms": 7.0},
    ]

    assert medians(runs) == {"rate": 2.0, "p99_ms": 9.0}


def test_sides_run_in_turns():
    order = []

    def side(name, values):
        return lambda: order.append(name) or {"rate": values.pop()}

    peer, ours = take_turns(3, side("peer", [1.0, 2.0, 9.0]), side("ours", [10.0, 90.0, 20.0]))

    assert order == ["peer", "ours"] * 3
    assert (peer, ours) == ({"rate": 2.0}, {"rate": 20.0})


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([5.0], 0.99, 5.0),
        (range(1, 101), 0.99, 99),
        (range(1, 1001), 0.99, 990),
        ([3, 1, 2], 0.5, 2),
    ],
)
def test_percentile_is_one_of_the_values(values, share, expected):
    assert percentile(list(values), share) == expected


def test_ratio_is_ours_by_the_peers():
    assert measure(peer=300.0).ratio == 20.0
    assert measure().ratio is None


@pytest.mark.parametrize(
    ("goal", "ours", "peer", "ok"),
    [
        (Goal(ratio_least=20), 6000, 300, True),
        (Goal(ratio_least=20), 5999, 300, False),
        (Goal(ratio_least=20), 6000, None, False),
        (Goal(ratio_most=1 / 15, most=250), 200, 3000, True),
        (Goal(ratio_most=1 / 15, most=250), 260, 30000, False),
        (Goal(ratio_most=1 / 15, most=250), 240, 300, False),
        (Goal(most=0), 0, None, True),
        (Goal(most=0), 1, None, False),
        (Goal(most=2), float("nan"), None, False),
        (Goal(least=5), 4, None, False),
    ],
)
def test_goal_holds_only_if_every_bound_does(goal, ours, peer, ok):
    assert measure(goal=goal, ours=ours, peer=peer).ok is ok


def test_goal_in_words():
    assert str(Goal(ratio_most=1 / 15, most=250)) == "≤ 1/15 of peer, ≤ 250"
    assert str(Goal(ratio_most=1.1)) == "≤ 1.1 × peer"
    assert str(Goal(ratio_least=1.2)) == "≥ 1.2 × peer"
    assert str(Goal(most=0)) == "≤ 0"


def test_json_has_the_agreed_shape(tmp_path):
    path = tmp_path / "figures.json"
    beside = measure(peer=300.0, peer_name="django-apscheduler", goal=Goal(ratio_least=20))

    report.write_json(path, "engine", "a machine", [beside, measure(goal=Goal(most=1))])

    assert json.loads(path.read_text()) == {
        "suite": "engine",
        "machine": "a machine",
        "measures": [
            {
                "name": "burst",
                "unit": "runs/s",
                "ours": 6000.0,
                "peer": 300.0,
                "peer_name": "django-apscheduler",
                "ratio": 20.0,
                "goal": "≥ 20 × peer",
                "ok": True,
            },
            {
                "name": "burst",
                "unit": "runs/s",
                "ours": 6000.0,
                "peer": None,
                "peer_name": "",
                "ratio": None,
                "goal": "≤ 1",
                "ok": False,
            },
        ],
    }


def test_markdown_has_a_line_for_each_measure():
    lines = report.markdown([measure(peer=300.0, goal=Goal(ratio_least=20))]).splitlines()

    assert len(lines) == 3
    assert lines[2] == "| burst | runs/s | 6,000 | 300 |  | 20.0 | ≥ 20 × peer | yes |"


def test_unknown_suite_is_a_usage_error():
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["no-such-suite"])

    assert ended.value.code == 2


def test_delivery_is_a_suite():
    given = parser().parse_args(["delivery", "--quick", "--full"])

    assert (given.suite, given.quick, given.full) == ("delivery", True, True)
