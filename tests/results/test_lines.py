"""A line of a rank's file -> an event, or what is wrong with it."""

from __future__ import annotations

import json
import math

import pytest
from test_events import EVENTS, line

from benchspec.results import lines
from benchspec.terms import schemas

SCHEMA = schemas.load("event")
#: fields that no metric and no ending is made of
UNUSED = {("start", "rank"), ("model", "dtype"), ("model", "method")}
#: fields that may be absent, most of them since they are newer than 0.1.0
NEWER = (
    {("start", "host"), ("start", "pid")}
    | {(kind, "clock") for kind in EVENTS}
    | {
        ("step", "block_tokens"),
        ("step", "head_tokens"),
    }
)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Hello",
        b"3",
        b"[1]",
        b"null",
        b"{}",
        b'{"event":3}',
        b'{"event":["done"]}',
        b'{"event":"birthday"}',
        b"\\xff\\xfe{",
        b"\\x00" * 8,
        b"[" * 100_000,
        b'{"event":"step","step":' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_event_is_none(text):
    assert lines.parse(text) is None


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_of_each_kind_has_no_problem(kind):
    event = lines.parse(json.dumps(line(kind)).encode())
    assert event == line(kind)
    assert lines.problem(event) is None


def test_every_kind_of_the_schema_is_known():
    assert set(EVENTS) == set(SCHEMA["properties"]["event"]["enum"])


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in EVENTS for name in SCHEMA["$defs"][kind]["required"] if name != "event"]
)
def test_a_field_that_is_needed_is_named_if_it_is_absent_or_wrong(kind, name):
    for value in (..., [], {"a": 1}, math.nan, math.inf, "x", 10**400, -(10**400), -1):
        event = line(kind, **{name: value})
        if value is ...:
            del event[name]
        problem = lines.problem(event)
        fits = (kind, name) in NEWER if value is ... else CHECKS.get((kind, name), lambda value: False)(value)
        assert (problem is None) == ((kind, name) in UNUSED or fits), problem
        assert problem is None or (f"'{name}'" in problem and len(problem) < 250)


#: the wrong values above that are right for a field
CHECKS = {
    **{("sampled", name): lambda value: value == -1 for name in ("seconds", "low", "high")},
    ("start", "host"): lambda value: value == "x",
    ("failure", "reason"): lambda value: value == "x",
    ("model", "precision"): lambda value: value == "x",
    ("device", "name"): lambda value: value == "x",
    ("device", "uuid"): lambda value: value == "x",
    ("arithmetic", "dtype"): lambda value: value == "x",
    ("answers", "answers"): lambda value: value == [],
    ("step", "loss"): lambda value: value == -1,
    ("step", "grad_norm"): lambda value: value == -1,
}


def test_fields_that_are_newer_may_be_absent_and_others_are_let_through():
    begin = {"event": "begin", "time": 1.5, "phase": "train"}
    assert lines.problem(begin) is None
    assert lines.problem({**begin, "clock": 3.5, "unheard-of": [1]}) is None
    assert lines.problem({**begin, "clock": "soon"}) == "'clock' of the event 'begin' is 'soon', not a time in seconds"


def test_a_proof_is_not_nested_without_end():
    deep = line("proof")
    for _ in range(40):
        deep = {**line("proof"), "deep": [deep]}
    assert "nested more than 32 levels" in lines.problem(deep)
