from __future__ import annotations

import time
import urllib.request

import pytest

from scheduler_app import params_schema

SCHEMA = {
    "type": "object",
    "properties": {
        "limit": {"type": "integer", "minimum": 1, "maximum": 10},
        "day": {"type": "string", "format": "date"},
        "mode": {"enum": ["fast", "slow"]},
        "ids": {"type": "array", "items": {"$ref": "#/$defs/id"}, "minItems": 1, "maxItems": 2},
        "name": {"type": ["string", "null"], "pattern": "^a", "minLength": 2, "maxLength": 3},
        "share": {"exclusiveMinimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.25},
        "kind": {"const": "full"},
        "range": {"type": "object", "required": ["to"], "additionalProperties": False},
        "odd": {"not": {"type": "string"}},
    },
    "required": ["limit"],
    "additionalProperties": False,
    "$defs": {"id": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "obj"}, "at $.type"),
        ({"properties": 3}, "at $.properties"),
        ({"properties": {"a": {"pattern": "["}}}, "at $.properties.a.pattern"),
        ({"type": "array"}, "has to describe an object"),
        ({"$ref": "https://example.com/schema.json"}, "only its own parts"),
        ({"properties": {"a": {"$ref": "other.json#/a"}}}, "only its own parts"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "which it does not have"),
    ],
)
def test_schema_that_cannot_be_used_is_told(schema, problem):
    assert problem in params_schema.problem(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        SCHEMA,
        {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {}},
        {"$schema": "https://example.com/of-our-own", "properties": {}},
    ],
)
def test_good_schema_has_no_problem(schema):
    assert params_schema.problem(schema) == ""


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        ({"limit": 3, "name": None, "ids": [1], "range": {"to": 2}}, ["range.to is unknown"]),
        ({"limit": 10, "day": "2026-02-28", "mode": "fast", "share": 0.5}, []),
        ({}, ["limit is missing"]),
        ({"limit": 11}, ["limit has to be at most 10"]),
        ({"limit": 0}, ["limit has to be at least 1"]),
        ({"limit": "3"}, ["limit has to be of the type integer"]),
        ({"limit": 3, "colour": 1}, ["colour is unknown; known are: limit, day, mode"]),
        ({"limit": 3, "day": "2026-02-30"}, ["day has to have the format date"]),
        ({"limit": 3, "mode": "odd"}, ["mode has to be one of fast, slow"]),
        ({"limit": 3, "ids": ["1"]}, ["ids.0 has to be of the type integer"]),
        ({"limit": 3, "ids": []}, ["ids has to have at least 1 entries"]),
        ({"limit": 3, "ids": [1, 2, 3]}, ["ids has to have at most 2 entries"]),
        ({"limit": 3, "name": "b2"}, ["name has to match ^a"]),
        ({"limit": 3, "name": "a"}, ["name has to have at least 2 characters"]),
        ({"limit": 3, "name": "abcd"}, ["name has to have at most 3 characters"]),
        ({"limit": 3, "share": 0}, ["share has to be more than 0"]),
        ({"limit": 3, "share": 1}, ["share has to be less than 1"]),
        ({"limit": 3, "share": 0.3}, ["share has to be a multiple of 0.25"]),
        ({"limit": 3, "kind": "half"}, ["kind has to be full"]),
        ({"limit": 3, "range": {}}, ["range.to is missing"]),
        ({"limit": 3, "odd": "x"}, ['odd breaks the rule not of the schema: {"type": "string"}']),
        ({"day": 5, "mode": 1}, ["limit is missing", "day has to be", "mode has to be"]),
    ],
)
def test_fault_says_which_parameter_what_is_wrong_and_what_is_allowed(values, faults):
    found = params_schema.faults(SCHEMA, values)
    assert len(found) == len(faults), found
    for text, begin in zip(found, faults, strict=True):
        assert text.startswith(begin)


def test_value_is_not_in_the_text():
    wrong = {"limit": "hunter2", "day": "hunter2", "mode": "hunter2", "name": "hunter2"}
    assert "hunter2" not in " ".join(params_schema.faults(SCHEMA, wrong))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"properties": {"a": {"allOf": [{"$ref": "#/properties/a"}]}}},
        {"properties": {"a": {"$id": "http://other/", "$ref": "#/$defs/x"}}, "$defs": {"x": {}}},
    ],
)
def test_schema_that_leads_nowhere_is_a_fault_and_no_error(schema):
    (text,) = params_schema.faults(schema, {"a": 1})
    assert "it refers to itself, or to nothing" in text


def test_nothing_is_ever_fetched(monkeypatch):
    def refuse(*_args, **_kwargs):
        pytest.fail("it went to the network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    schema = {"properties": {"a": {"$ref": "http://example.com/a"}}}
    assert params_schema.faults(schema, {"a": 1})


def nested(depth):
    schema = {}
    for _ in range(depth):
        schema = {"properties": {"a": schema}}
    return schema


def doubling(depth):
    """A few parts, each of which refers to the next one twice."""
    parts = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}
        for n in range(depth)
    }
    return {"$defs": {**parts, f"d{depth}": {}}, "properties": {"a": {"$ref": "#/$defs/d0"}}}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"properties": {"a": {"pattern": r"(a)\1"}}}, "refers to a group"),
        ({"properties": {"a": {"pattern": "a{1000}"}}}, "has too many parts"),
        ({"properties": {"a": {"items": {"not": {"pattern": "(?=a)"}}}}}, "looks ahead"),
        ({"patternProperties": {"^(a+)+$": {}}}, "has patternProperties"),
        (nested(30), "nested more than 40 levels"),
        (nested(5000), "nested more than 40 levels"),
        ({"enum": ["x" * 60_000]}, "more than 50000 characters"),
    ],
)
def test_schema_that_could_keep_the_process_busy_is_refused(schema, problem):
    assert problem in params_schema.problem(schema)
    assert params_schema.faults(schema, {"a": 1})


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 26 + "!"),
        ({"pattern": "^(a+)+$"}, "a" * 1_000_000),
        ({"type": "array", "items": {"pattern": "^(a+)+$"}}, ["a" * 1000 + "!"] * 1000),
        ({"uniqueItems": True}, [{"n": n} for n in range(50_000)]),
        ({"multipleOf": 0.01}, 10**4000),
        ({"maxItems": 10**30, "items": {"type": "integer"}}, [1]),
        ({"format": "regex"}, "(a+)+$" * 1000),
    ],
)
def test_values_are_compared_in_bounded_time(rule, value):
    schema = {"properties": {"a": rule}}
    assert params_schema.problem(schema) == ""
    begin = time.process_time()
    params_schema.faults(schema, {"a": value})
    assert time.process_time() - begin < 5


def test_references_that_double_are_given_up():
    schema = doubling(30)
    assert params_schema.problem(schema) == ""
    assert "in time" in params_schema.faults(schema, {"a": 1})[0]


def test_a_parameter_may_be_called_pattern():
    schema = {"properties": {"pattern": {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"}}}
    assert params_schema.problem(schema) == ""
    assert params_schema.faults(schema, {"pattern": "a-b"}) == []
    assert params_schema.faults(schema, {"pattern": "a-"}) == [
        "pattern has to match ^[a-z]+(-[a-z]+)*$"
    ]
