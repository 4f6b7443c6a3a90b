"""The measured events, and the schema that describes them."""

from __future__ import annotations

import time

import pytest
from jsonschema import Draft202012Validator

from benchspec.results import events
from benchspec.results.events import EventLog, Tail
from benchspec.terms import schemas

SHAPE = {
    "layers": 12,
    "hidden": 768,
    "heads": 12,
    "ffn": 3072,
    "vocabulary": 50272,
    "positions": 2048,
    "tied_head": True,
    "parameters": 125_239_296,
    "lookup_parameters": 1_574_400,
}
#: an event of each kind
EVENTS = {
    "start": {"rank": 0, "world": 8, "pid": 4711, "host": "node1"},
    "device": {"name": "NVIDIA H100 80GB HBM3", "uuid": "GPU-1", "memory": 84_929_347_584, "mig": False},
    "begin": {"phase": "first-step"},
    "end": {"phase": "train"},
    "progress": {"done": 120, "total": 1000},
    "data": {"rows": 52002, "words": 3025587, "tokens": 3986889, "planned_steps": 612},
    "model": {
        "parameters": 125_239_296,
        "trainable_parameters": 125_239_296,
        "dtype": "float32",
        "shape": SHAPE,
        "precision": "bf16",
        "tf32": True,
        "method": "full",
    },
    "arithmetic": {"dtype": "bfloat16", "tf32": False},
    "step": {
        "step": 1,
        "rows": 32,
        "tokens": 3680,
        "padded_tokens": 5536,
        "loss_tokens": 2100,
        "block_tokens": 3100,
        "head_tokens": 2100,
        "loss": 1.9,
        "grad_norm": 3.25,
    },
    "sampled": {"seconds": 80.5, "low": 78.0, "high": 83.0, "warmup_steps": 2, "warmup_time": 3.5},
    "ceilings": {
        "fp32": 5e13,
        "tf32": None,
        "bf16": 8e14,
        "memory_bandwidth": 3e12,
        "host_to_device": 5e10,
        "all_reduce": 3e11,
        "all_gather": None,
    },
    "memory": {"allocated": 43486543872, "reserved": (45e9).__int__(), "host": 3 * 2**30},
    "energy": {"joules": 310_000.5},
    "proof": {
        "finite_losses": True,
        "grad_norm_nonzero": True,
        "parameters_changed": 196,
        "sharded": ["OPTDecoderLayer"],
    },
    "answers": {
        "answers": [{"prompt": "Name a colour.", "text": "Red."}],
        "first_token": 0.02,
        "seconds": 0.5,
        "tokens": 12,
        "peak_memory": 7 * 2**30,
    },
    "failure": {"outcome": "oom", "phase": "first-step", "reason": "CUDA out of memory", "mistake": False},
    "done": {},
}
#: fields that the first version did not have
NEWER = {("failure", "mistake"), ("start", "host"), ("step", "block_tokens"), ("step", "head_tokens")}
CHECK = Draft202012Validator(schemas.load("event"))


def line(kind, **changes):
    return {"event": kind, "time": 1.5, "clock": 0.25, **EVENTS[kind], **changes}


def test_the_schema_is_one():
    Draft202012Validator.check_schema(schemas.load("event"))


@pytest.mark.parametrize("kind", EVENTS)
def test_each_kind_is_described(kind):
    assert not list(CHECK.iter_errors(line(kind)))


@pytest.mark.parametrize("kind", [kind for kind in EVENTS if kind != "proof"])
def test_unknown_keys_are_refused(kind):
    (error,) = CHECK.iter_errors(line(kind, hostname="node1"))
    assert "'hostname' was unexpected" in error.message


@pytest.mark.parametrize(
    ("kind", "key"),
    [(kind, key) for kind, fields in EVENTS.items() for key in ("time", "clock", *fields) if kind != "proof"],
)
def test_every_field_is_required_that_the_first_version_had(kind, key):
    event = line(kind)
    del event[key]
    assert CHECK.is_valid(event) == (key == "clock" or (kind, key) in NEWER)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("data", {"planned_steps": None}),
        ("model", {"shape": None}),
        ("device", {"uuid": None}),
        ("arithmetic", {"dtype": None}),
        ("model", {"shape": {**SHAPE, "positions": None}}),
        ("step", {"loss": None, "grad_norm": None}),
        ("memory", {"allocated": None, "reserved": None}),
        ("answers", {"peak_memory": None}),
    ],
)
def test_what_need_not_be_known_may_be_null(kind, changes):
    assert CHECK.is_valid(line(kind, **changes))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("begin", {"phase": "training"}),
        ("failure", {"outcome": "ok"}),
        ("memory", {"host": None}),
        ("model", {"precision": 16}),
        ("model", {"shape": {**SHAPE, "experts": 8}}),
        ("step", {"rows": -1}),
        ("step", {"step": 0}),
        ("start", {"event": "stop"}),
    ],
)
def test_what_is_wrong_is_refused(kind, changes):
    assert not CHECK.is_valid(line(kind, **changes))


def test_what_is_logged_is_read_back(tmp_path):
    log = EventLog(tmp_path, 3)
    log.add("begin", phase="data")
    log.add("data", **EVENTS["data"])
    begin, data = events.read(tmp_path / "rank-3.jsonl")
    assert (begin["event"], begin["phase"]) == ("begin", "data")
    assert data["tokens"] == 3986889
    assert begin["time"] <= data["time"]
    assert begin["clock"] <= data["clock"] <= time.monotonic()
    assert CHECK.is_valid(begin) and CHECK.is_valid(data)


def test_a_line_is_on_disk_when_add_returns(tmp_path):
    log = EventLog(tmp_path, 0)
    log.add("done")
    assert (tmp_path / "rank-0.jsonl").read_text().endswith("}\n")


def test_a_second_log_goes_on_where_the_first_ended(tmp_path):
    EventLog(tmp_path, 0).add("begin", phase="start")
    EventLog(tmp_path, 0).add("done")
    assert [event["event"] for event in events.read(tmp_path / "rank-0.jsonl")] == ["begin", "done"]


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path):
    file = tmp_path / "rank-0.jsonl"
    file.write_text('{"event":"begin","time":1,"phase":"data"}\n{"event":"end","ti')
    assert [event["event"] for event in events.read(file)] == ["begin"]


def test_a_tail_skips_files_that_are_not_a_ranks(tmp_path):
    (tmp_path / "rank-x.jsonl").write_text('{"event":"begin","time":1,"phase":"data"}\n')
    assert Tail(tmp_path).new() == []


def test_the_size_of_a_group_is_what_any_rank_said(tmp_path):
    assert events.world_size({0: [], 1: [{"event": "start", "time": 1.0, "world": 3}]}) == 3
    assert events.world_size({}) == 0


def test_a_tail_returns_each_event_once_and_only_when_complete(tmp_path):
    log, tail = EventLog(tmp_path, 0), Tail(tmp_path)
    log.add("begin", phase="start")
    assert [(rank, event["event"]) for rank, event in tail.new()] == [(0, "begin")]
    assert tail.new() == []
    with (tmp_path / "rank-0.jsonl").open("a") as file:
        file.write('{"event":"do')
        file.flush()
        assert tail.new() == []
        file.write('ne","time":2}\n')
    assert tail.new() == [(0, {"event": "done", "time": 2})]
