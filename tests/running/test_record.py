"""What an attempt left -> its line of the journal."""

from __future__ import annotations

import json

import pytest
from left import DONE, TRAINING, begin, end, failure, leave

from benchspec import Fact, Facts
from benchspec.cases.case import Launch
from benchspec.results import evidence
from benchspec.running.ending import Ending, judge
from benchspec.running.record import record
from benchspec.running.when import When

FACTS = Facts(accelerator=None, accelerators=0, price_per_hour=Fact(36, "the spec"), currency="EUR")


def proof(**fields):
    return {"event": "proof", **fields}


def recorded(cases, folder, *ranks, ending=None, fields="matrix: {train.seed: [7]}"):
    """The result of an attempt whose ranks wrote these events; it ran for 100 s."""
    (case,) = cases(fields)
    attempt = folder / "3"
    attempt.mkdir(exist_ok=True)
    seen = evidence.read(leave(attempt, *ranks, stderr="first\nlast\n"))
    return case, record(Launch(case, 2), attempt, seen, ending or judge(seen, {}), FACTS, When(1000.0, 1100.0, 100.0))


def test_a_result_names_its_case_attempt_and_times(cases, tmp_path):
    case, found = recorded(cases, tmp_path, [DONE])
    assert (found.experiment, found.case, found.attempt, found.launch) == ("one", case.id, "3", 2)
    assert (found.axes, found.started, found.finished) == ({"train.seed": 7}, 1000.0, 1100.0)
    assert (found.outcome, found.phase, found.rank, found.reason, found.log) == ("ok", None, None, None, [])


def test_it_holds_how_the_case_ended(cases, tmp_path):
    _, found = recorded(cases, tmp_path, [*TRAINING, failure("oom", "OutOfMemoryError: CUDA out of memory")])
    assert (found.outcome, found.phase, found.rank) == ("oom", "steady", 0)
    assert (found.reason, found.log) == ("OutOfMemoryError: CUDA out of memory", ["first", "last"])


def test_metrics_use_the_machines_facts_and_what_was_measured_up_to_then(cases, tmp_path):
    _, found = recorded(cases, tmp_path, [begin("build"), end("build"), failure()])
    assert (found.metrics["cost"], found.currency) == (1, "EUR")  # 36 an hour for 100 s
    assert found.metrics["phase_build"] == 1
    assert "train_runtime" not in found.metrics


STEP = {"step": 1, "rows": 1, "tokens": 8, "padded_tokens": 8, "loss_tokens": 4, "loss": 1.0, "grad_norm": 1.0}


def test_a_sampled_case_of_which_every_step_ran_says_so(cases, tmp_path):
    ran = [*TRAINING, {"event": "step", **STEP}, end("train"), DONE]
    _, found = recorded(cases, tmp_path, ran, fields="measure: {mode: sampled, precision: 3%}")
    assert found.warnings == ["every step ran, and none is projected: its time was not known to 3% before"]
    assert found.basis == {}


def test_a_sampled_case_has_a_projected_time(cases, tmp_path):
    sampled = {"event": "sampled", "seconds": 90.0, "low": 88.0, "high": 92.0, "warmup_steps": 0, "warmup_time": 0.0}
    ran = [*TRAINING, {"event": "step", **STEP}, sampled, end("train"), DONE]
    _, found = recorded(cases, tmp_path, ran, fields="measure: {mode: sampled}")
    assert (found.basis, found.warnings) == ({"train_runtime": "projected"}, [])


def test_a_peak_that_was_exceeded_is_told(cases, tmp_path, monkeypatch):
    rates = dict.fromkeys(("fp32", "tf32", "memory_bandwidth", "host_to_device", "all_reduce", "all_gather"))
    monkeypatch.setattr(
        "test_record.FACTS", Facts(accelerator="G", accelerators=1, peak={"bf16": Fact(1e14, "a page")})
    )
    _, found = recorded(cases, tmp_path, [{"event": "ceilings", **rates, "bf16": 2e14}, DONE])
    assert found.warnings == [
        "bf16: 200 TFLOP/s were measured, more than the peak of 100 that MFU is taken of; is it another device's?"
    ]


def test_a_start_otherwise_than_asked_is_told(cases, tmp_path):
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "record.json").write_text(json.dumps({"remark": "started cold"}))
    _, found = recorded(cases, tmp_path, [DONE])
    assert found.warnings == ["started cold"]


def test_the_first_steps_that_the_case_keeps_out_of_the_steady_state_are_kept_out(cases, tmp_path):
    counts = {"rows": 32, "tokens": 32, "padded_tokens": 32, "loss_tokens": 1, "loss": 1.0, "grad_norm": 1.0}
    steps = [
        {"event": "step", "step": number, "time": time, **counts} for number, time in enumerate((20, 21, 22, 24), 1)
    ]
    events = [begin("train"), begin("first-step"), *steps, DONE]
    _, found = recorded(cases, tmp_path, events, fields="measure: {warmup_steps: 2}\nmatrix: {train.seed: [7]}")
    assert found.metrics["step_time_mean"] == 1.5


def test_the_proof_is_rank_zeros_last(cases, tmp_path):
    first, last = proof(sharding="none", world=2), proof(sharding="full", world=2, total_parameters=12)
    _, found = recorded(cases, tmp_path, [first, last, DONE], [proof(sharding="of rank 1"), DONE])
    assert found.proof == {"sharding": "full", "world": 2, "total_parameters": 12}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"processes": 2, "machine": {"cpu": "Xeon"}}', {"processes": 2, "machine": {"cpu": "Xeon"}}),
        ("", {}),
        ('{"processes": 2', {}),
        ("[1]", {}),
        ('{"processes": "two"}', {}),
        ('{"others": 3}', {}),
    ],
)
def test_a_record_that_could_not_be_read_again_is_left_out(cases, tmp_path, text, kept):
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "record.json").write_text(text)
    _, found = recorded(cases, tmp_path, [DONE])
    assert {**found.record, "data": None} == {**kept, "data": None}


def test_an_attempt_that_left_nothing_has_a_result_too(cases, tmp_path):
    ending = Ending("crash", "start", reason="the launcher failed")
    _, found = recorded(cases, tmp_path, ending=ending)
    assert (found.outcome, found.proof, found.reason) == ("crash", {}, "the launcher failed")
    assert json.dumps(found.to_json())


def test_a_long_reason_and_long_lines_of_the_log_are_cut_off_and_say_so(cases, tmp_path):
    ending = Ending("crash", "train", 0, "x" * 10_000, ("y" * 10_000, "short"))
    _, found = recorded(cases, tmp_path, ending=ending)
    assert found.log[1] == "short"
    for text in (found.reason, found.log[0]):
        assert len(text) <= 500 and text.endswith("more characters)")
