"""The fields of one case: completed with defaults, settled on a machine, and checked."""

import pytest
from small import SMALL, mistakes, replaced

from benchspec import SpecError


def test_defaults_are_filled_in_everywhere(cases):
    (case,) = cases("limits: {timeout: 90 min}")
    assert case.dataset == {"name": "synthetic", "rows": 52_002, "seed": 42}
    assert case.model["weights"] == "random" and case.model["layers"] == 2
    assert (case.train["epochs"], case.train["learning_rate"], case.train["save"]) == (3, 2e-5, None)
    assert (case.method["name"], case.recipe["name"], case.launcher["name"]) == ("full", "alpaca", "torchrun")
    assert case.limits["timeout"] == 5400 and case.measure["warmup_steps"] == 1


@pytest.mark.parametrize(("processes", "backend"), [(1, "single"), (2, "fsdp")])
def test_the_backend_follows_the_number_of_processes(cases, processes, backend):
    (case,) = cases(f"launcher: {{name: torchrun, processes: {processes}}}")
    assert case.backend["name"] == backend


def test_auto_is_one_process_an_accelerator_of_the_named_machine(cases):
    (case,) = cases("title: x", "hardware=xe9680-h100")
    assert (case.launcher["processes"], case.backend["name"]) == (8, "fsdp")
    (case,) = cases("title: x", "hardware=cpu")
    assert (case.launcher["processes"], case.backend["name"]) == (1, "single")


def test_a_whole_number_is_an_integer_however_it_is_written(cases):
    (case,) = cases("dataset: {name: synthetic, rows: 1e3}")
    assert case.dataset["rows"] == 1000 and isinstance(case.dataset["rows"], int)


def test_options_that_make_no_sense_together(cases):
    with pytest.raises(SpecError, match=r"experiments.one.backend: backend 'deepspeed' does not use offload_param at"):
        cases("backend: {name: deepspeed, stage: 2, offload_param: {device: cpu}}")


def test_rows_longer_than_the_model_can_take(cases):
    with pytest.raises(SpecError, match=r"train.max_length: max_length 4096 is more than the 2048 positions"):
        cases("train: {max_length: 4096}")
    assert cases("model: bloom-tiny\ntrain: {max_length: 4096}")


def test_a_required_option_that_nobody_gives(cases):
    with pytest.raises(SpecError, match=r"experiments.one.dataset: 'rows' is missing \(how many"):
        cases("dataset: {name: resampled, of: synthetic}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            replaced("    model: opt-tiny", "    title: x"),
            "spec.yaml:6:3: error: experiments.one: 'model' is missing; give it",
        ),
        (
            SMALL + "    matrix: {train.sed: [3, 4]}\n",
            "spec.yaml:8:14: error: experiments.one.matrix.train.sed[0]: unknown key 'sed'",
        ),
        (replaced("model: opt-tiny", "model: opt"), "experiments.one.model: "),
    ],
)
def test_a_mistake_is_one_line_that_says_where_and_what(write, text, message):
    found = mistakes(write(text))
    assert any(message in line for line in found), found
    assert len(found) == 1
