"""JSON-schema errors as readable messages with their places."""

import pytest
from small import SMALL, mistakes, replaced


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            replaced("name: small", "name: Small!"),
            "spec.yaml:2:7: error: name: 'Small!' is not a valid name: lower-case letters",
        ),
        (replaced("name: small\n", ""), "spec.yaml:1:1: error: 'name' is missing"),
        (replaced("benchspec: 1", "benchspec: 2"), "spec.yaml:1:12: error: benchspec: 2 is not supported"),
        (
            replaced("defaults:", "descripton: x\ndefaults:"),
            "spec.yaml:3:1: error: descripton: unknown key 'descripton' (allowed: benchspec,",
        ),
        (replaced("defaults:", "descripton: x\ndefaults:"), "did you mean 'description'?"),
        (
            replaced("opt-tiny", "opt-tini"),
            "spec.yaml:7:12: error: experiments.one.model: no model is called 'opt-tini'",
        ),
        (replaced("opt-tiny", "opt-tini"), "did you mean 'opt-tiny'?"),
        (replaced("opt-tiny", "[opt-tiny]"), "experiments.one.model: expected a string or a mapping, found a list"),
        (
            replaced("rows: 100", "row: 100"),
            "spec.yaml:4:30: error: defaults.dataset.row: unknown key 'row' (allowed: name",
        ),
        (replaced("rows: 100", "rows: many"), "defaults.dataset.rows: expected an integer, found 'many'"),
        (replaced("rows: 100", "rows: 0"), "defaults.dataset.rows: 0 must be at least 1"),
        (replaced("name: synthetic, ", ""), "spec.yaml:4:12: error: defaults.dataset: 'name' is missing"),
        (SMALL + "    train: {max_steps: 1}\n", "experiments.one.train.max_steps: 1 must be at least 2"),
        (SMALL + "    train: {precision: fp16}\n", "precision: 'fp16' is not allowed (allowed: bf16, fp32)"),
        (SMALL + "    train: {learning_rate: fast}\n", "learning_rate: expected a number, found 'fast'"),
        (SMALL + "    train: {epochs: true}\n", "epochs: expected a number, found true"),
        (SMALL + "    limits: {timeout: soon}\n", "'soon' is not a number with a unit such as '15 min'"),
        (SMALL + "    repeats: 3\n", "unknown key 'repeats'"),
        (SMALL + "    matrix: {}\n", "experiments.one.matrix: is empty"),
        (SMALL + "    matrix: {train.seed: []}\n", "experiments.one.matrix.train.seed: is empty"),
        (SMALL + "    matrix: {train.seed: 3}\n", "experiments.one.matrix.train.seed: expected a list, found 3"),
        (
            SMALL + "    matrix: {model: [opt-tiny, opt-tini]}\n",
            "spec.yaml:8:32: error: experiments.one.matrix.model[1]: no model",
        ),
        (SMALL + "    model.x: 3\n", "unknown key 'model.x'"),
        (SMALL + "report: [tabel]\n", "no reporter is called 'tabel'"),
        (SMALL + "    expect: null\n", "experiments.one.expect: expected a list, found null"),
        (SMALL + "    launcher: {name: torchrun, processes: 0}\n", "processes: 0 must be at least 1"),
        (
            SMALL + "    launcher: {name: torchrun, processes: autoo}\n",
            "processes: 'autoo' is not allowed: a number, or auto: one process per accelerator",
        ),
        (replaced("name: small", 'name: "small\\n"'), "is not a valid name: lower-case letters"),
        (replaced("opt-tiny", '"opt\\e[31m\\n"'), "no model is called 'opt\\x1b[31m\\n'"),
        (SMALL + "hardware: h100\n", "no hardware is called 'h100'"),
        (SMALL + "    expect: [{outcome: fine}]\n", "'fine' is not allowed (allowed: ok, oom"),
        ("- 1\n- 2\n", "spec.yaml:1:1: error: expected a mapping, found a list"),
        ("just words\n", "spec.yaml:1:1: error: expected a mapping, found 'just words'"),
    ],
)
def test_a_mistake_is_one_line_with_place_and_reason(write, text, message):
    found = mistakes(write(text))
    assert any(message in line for line in found), found
    assert len(found) == 1


@pytest.mark.parametrize(
    "expect",
    ["{outcome: ok}", "3", "[x]", "[{}]", "[{where: 3, outcome: ok}]", "[{outcome: 3}]", "[{outcome: [[ok]]}]"],
)
def test_an_expectation_in_the_wrong_form_is_one_line(write, expect):
    (line,) = mistakes(write(SMALL + f"    expect: {expect}\n"))
    assert "spec.yaml:8:" in line and "experiments.one.expect" in line


def test_all_mistakes_in_a_file_are_reported_at_once(write):
    text = replaced("opt-tiny", "opt-tini").replace("rows: 100", "rows: x") + "    trian: {}\nnonsense: 1\n"
    assert [line.split(":")[1] for line in sorted(mistakes(write(text)))] == ["4", "7", "8", "9"]
