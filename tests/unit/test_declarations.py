"""Every field of a job: what it may hold, what it becomes, and what is told of anything else."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler_app.declarations import RULES, FieldError, JobDeclaration, clean, isolation_faults
from tests.environment import ROOT

LOOP: list[Any] = []
LOOP.append(LOOP)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]

FAULTS = [
    *(("id", value, "not allowed") for value in ("", "Upper", "-x", "ü", "a b", "a\n", 5, None)),
    ("id", "x" * 101, "not allowed"),
    *((name, 5, "text") for name in ("name", "owner", "category", "description", "calendar")),
    *((name, "  ", "empty") for name in ("name", "owner", "category")),
    *((name, "a\0b", "NUL") for name in ("name", "owner", "category", "description", "calendar")),
    ("name", "half \ud83d", "half a character"),
    ("name", "x" * 201, "201 characters"),
    ("owner", "x" * 151, "151 characters"),
    ("category", "x" * 101, "101 characters"),
    ("description", "x" * 5001, "5001 characters"),
    ("calendar", "x" * 101, "101 characters"),
    *(
        ("calendar", value, "no calendar")
        for value in ("cn", "ZZ", "weekends:CN", "workdays:", " ")
    ),
    *(("module", value, "not allowed") for value in ("a..b", ".a", "a.", "a-b", "1a", None)),
    ("module", "m" * 201, "201 characters"),
    *(("callable", value, "not allowed") for value in ("", "a.b", "a()", "1a", "a\n", len)),
    ("callable", "c" * 201, "201 characters"),
    *(("cron", value, "no schedule") for value in ("", "* * * *", "* * * * * *", "61 * * * *")),
    *(("cron", value, "no schedule") for value in ("0 0 30 2 *", "every 0 s", "every 9 weeks")),
    *(("cron", value, "no schedule") for value in ("at noon", None, 5, [], {}, {"hours": 2})),
    *(("cron", value, "no schedule") for value in ({"hour": [2]}, {"hour": "1 2"}, {1: 2, "a": 3})),
    ("cron", "0 2 * * " + "1," * 100 + "1", "209 characters"),
    *(("enabled", value, "True or False") for value in ("yes", 1, 0, None)),
    *(("timezone", value, "no time zone") for value in ("Mars", "asia/shanghai", None, 8, "UTC\n")),
    *(("dst_gap", value, "unknown") for value in ("", "RUN_AFTER", None, [])),
    *(("dst_fold", value, "unknown") for value in ("", "thrice", True)),
    *(("args", value, "has to be a list") for value in ("ab", {"a": 1}, None, 3)),
    *(("args", [value], "cannot be stored") for value in (object(), {1}, float("nan"), {1: 2})),
    *(("args", value, "cannot be stored") for value in (LOOP, DEEP)),
    *(("args", [value], "NUL") for value in ("a\0", {"a": "b\0"}, {"a\0": 1}, [["\0"]])),
    ("args", ["\udc80"], "half a character"),
    *(("kwargs", value, "has to be a dict") for value in ("ab", ["a"], None)),
    *(("kwargs", value, "no name of an argument") for value in ({"a b": 1}, {1: 2}, {"": 1})),
    ("kwargs", {"a": b"bytes"}, "cannot be stored"),
    *(("isolation", value, "unknown") for value in ("processes", "Thread", None, 1)),
    *(("memory_mb", value, "whole number") for value in (0, 15, 1.5, "64", True)),
    *(("timeout_s", value, "number of seconds") for value in (0, -1, "5", True, float("nan"))),
    *(("grace_s", value, "number of seconds") for value in (0, 0.5, "5", 1e12)),
    *(("expected_s", value, "number of seconds") for value in (-1, "5", False)),
    *(("retry_backoff_s", value, "number of seconds") for value in (None, -1, "60")),
    *(("max_instances", value, "whole number") for value in (0, 1001, 1.0, "1", True, None)),
    *(("max_catch_up", value, "whole number") for value in (0, 1001, None)),
    *(("max_retries", value, "whole number") for value in (-1, 101, 0.5)),
    *(("overlap", value, "unknown") for value in ("", "SKIP", "queue", None)),
    *(("on_missed", value, "unknown") for value in ("", "none", None)),
    *(("on_lost", value, "unknown") for value in ("", "email", None)),
    *(("queue", value, "not allowed") for value in ("", "a b", "q" * 51, None)),
    *(("severity", value, "unknown") for value in ("", "error", "FATAL", None)),
    *(("jitter_s", value, "number of seconds") for value in (None, -1, "5")),
    *(("blackouts", value, "has to be a list") for value in ("a", None, {"a": 1})),
    *(("blackouts", [value], "no text") for value in (5, None, ["Sat"])),
    *(("blackouts", ["Sat", value], "no window") for value in ("", "noon", "22:00", "Mon-Sun")),
    ("blackouts", ["Sat\0"], "NUL"),
    ("blackouts", ["Sat," * 51], "204 characters"),
    *(("params_schema", value, "has to be a dict") for value in ("a", None, [])),
    *(("retry_on", value, "has to be a list") for value in ("a", None, {"a": 1})),
    *(("retry_on", [value], "no name of an exception") for value in ("a b", "", 5, None, "a.")),
    *(("keep_successes_days", value, "whole number") for value in (0, 1.5, "9", True)),
    *(("keep_failures_days", value, "whole number") for value in (0, 36_501)),
    *(("tags", value, "has to be a list") for value in ("a", None, {"a": 1})),
    *(("tags", [value], "no word") for value in ("a b", "", 5, None, "t" * 51, ["a"])),
]


@pytest.mark.parametrize(("name", "value", "problem"), FAULTS, ids=range(len(FAULTS)))
def test_fault_says_what_is_wrong_and_what_to_write(name, value, problem):
    with pytest.raises(FieldError, match=problem) as caught:
        clean(name, value)
    assert caught.value.hint.strip().endswith((".", "'"))


def test_every_field_has_a_fault_in_the_table():
    assert {name for name, *_ in FAULTS} == set(JobDeclaration.FIELDS) == set(RULES)


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("name", "  Nightly  ", "Nightly"),
        ("name", "💥 夜间", "💥 夜间"),
        ("description", "", ""),
        ("cron", {"hour": 2, "minute": 30}, "30 2 * * *"),
        ("cron", "every 60 s", "every 60 s"),
        ("cron", "@daily", "0 0 * * *"),
        ("timezone", "", ""),
        ("calendar", "", ""),
        ("calendar", "CN", "workdays:CN"),
        ("blackouts", ("sat,sun", "22:00-6:00", "Sat,Sun"), ["Sat,Sun", "22:00-06:00"]),
        ("timezone", "Asia/Shanghai", "Asia/Shanghai"),
        ("args", (1, "a", None), [1, "a", None]),
        ("args", [("a", ("b",))], [["a", ["b"]]]),
        ("args", ["\\u0000"], ["\\u0000"]),
        ("kwargs", {"a": {"b": [True, 1.5]}}, {"a": {"b": [True, 1.5]}}),
        ("timeout_s", None, None),
        ("timeout_s", 5, 5.0),
        ("isolation", "", ""),
        ("isolation", "thread", "thread"),
        ("memory_mb", None, None),
        ("memory_mb", 256, 256),
        ("tags", ["b", "a", "b"], ["a", "b"]),
        ("overlap", "parallel", "parallel"),
    ],
)
def test_good_value_is_stored_in_one_form(name, value, stored):
    assert clean(name, value) == stored


def test_default_of_every_optional_field_is_a_good_value():
    required = dict.fromkeys(JobDeclaration.REQUIRED, "x")
    declared = JobDeclaration(**{**required, "cron": "* * * * *"}).as_dict()
    assert {name: clean(name, value) for name, value in declared.items()} == declared


def test_two_declarations_share_no_default():
    required = dict.fromkeys(JobDeclaration.REQUIRED, "x")
    JobDeclaration(**required).args.append(1)
    assert JobDeclaration(**required).args == []


def test_contract_has_a_row_for_every_field():
    lines = (ROOT / "docs" / "jobs.md").read_text().splitlines()
    rows = " ".join(line.split(" | ")[0] for line in lines if line.startswith("| `"))
    assert [name for name in JobDeclaration.FIELDS if f"`{name}`" not in rows] == []


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({"isolation": "thread"}, []),
        ({"isolation": "process", "timeout_s": 5.0}, []),
        ({"isolation": "", "timeout_s": 5.0, "memory_mb": 64, "overlap": "replace"}, []),
        ({"isolation": "thread", "timeout_s": 5.0}, ["timeout_s needs a process of its own"]),
        ({"isolation": "thread", "memory_mb": 64}, ["memory_mb needs a process of its own"]),
        ({"isolation": "thread", "overlap": "replace"}, ["overlap needs a process of its own"]),
    ],
)
def test_what_can_only_be_done_to_a_process_is_refused_for_a_thread(fields, faults):
    assert [str(fault) for _name, fault in isolation_faults(fields)] == faults
