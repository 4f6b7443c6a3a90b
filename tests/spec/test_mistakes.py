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
        (
            replaced("rows: 100", "rows: '100'"),
            "defaults.dataset.rows: expected an integer, found '100', which is text: leave out its quotes",
        ),
        (replaced("rows: 100", "rows: 0"), "defaults.dataset.rows: 0 must be at least 1"),
        (replaced("name: synthetic, ", ""), "spec.yaml:4:12: error: defaults.dataset: 'name' is missing"),
        (SMALL + "    train: {max_steps: 1}\n", "experiments.one.train.max_steps: 1 must be at least 2"),
        (SMALL + "    train: {precision: fp16}\n", "precision: 'fp16' is not allowed (allowed: bf16, fp32)"),
        (SMALL + "    train: {learning_rate: fast}\n", "learning_rate: expected a number, found 'fast'"),
        (SMALL + "    train: {epochs: true}\n", "epochs: expected a number, found true"),
        (
            SMALL + "    measure: {mode: sampled, precision: 2}\n",
            "measure.precision: 2 must be at most 50%, a share such as 2% or 0.02",
        ),
        (SMALL + "    limits: {timeout: soon}\n", "'soon' is not a number with a unit such as '15 min'"),
        (SMALL + "    limits: {timeout: 0 s}\n", "limits.timeout: '0 s' must be more than 0"),
        (SMALL + "    limits: {timeout: 0}\n", "limits.timeout: 0 must be more than 0"),
        (SMALL + "    limits: {timeout: 1e400 s}\n", "limits.timeout: '1e400 s' is too large for a number"),
        (SMALL + "    limits: {timeout: nan}\n", "'nan' is not a number with a unit such as '15 min'"),
        (SMALL + "    limits: {timeout: 1__0 s}\n", "'1__0 s' is not a number with a unit such as '15 min'"),
        (SMALL + "    train: {batch_size: 1e300}\n", "batch_size: expected an integer, found 1e+300"),
        (
            SMALL + f"    matrix: {{{', '.join(f'a{n}: [1]' for n in range(3_000))}}}\n",
            "spec.yaml:8:13: error: experiments.one.matrix: has 3,000 keys; at most 100 are allowed",
        ),
        (SMALL + f"    model: {'x' * 10_000}\n", "duplicate key 'model'"),
        (SMALL + "repeats: 3\n", "'repeats' is a field of a case: write defaults.repeats, or experiments.NAME.repeats"),
        (SMALL + "    repeats: 0\n", "repeats: 0 must be at least 1"),
        (SMALL + "    matrix: {repeats: [1, 2]}\n", "'repeats' makes no other case: write it beside 'matrix'"),
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


def test_a_name_that_is_misspelt_is_missing(write):
    (line,) = mistakes(write(replaced("name: synthetic", "nmae: synthetic")))
    assert line.startswith("spec.yaml:4:12: error: defaults.dataset: 'name' is missing")


def test_all_mistakes_in_a_file_are_reported_at_once(write):
    text = replaced("opt-tiny", "opt-tini").replace("rows: 100", "rows: x") + "    trian: {}\nnonsense: 1\n"
    assert [line.split(":")[1] for line in sorted(mistakes(write(text)))] == ["4", "7", "8", "9"]


def test_mistakes_of_form_and_of_references_are_told_together(write):
    published = "references: [{source: x, metric: mfu, values: [{where: {modle: opt-tiny}, value: 0.1}]}]\n"
    found = mistakes(write(replaced("rows: 100", "rows: x") + published))
    assert len(found) == 2 and "'x'" in found[0] and "modle" in found[1]


def test_of_very_many_mistakes_the_first_are_shown(write):
    found = mistakes(write(SMALL + "".join(f"    key{number}: 1\n" for number in range(3_000))))
    assert len(found) == 101
    assert found[0].startswith("spec.yaml:8:5: error: experiments.one.key0: unknown key 'key0'")
    assert found[-1] == "spec.yaml:108:5: error: and more; only 100 mistakes are shown at a time"


def test_a_mistake_shows_the_beginning_of_a_very_long_value(write):
    (line,) = mistakes(write(replaced("opt-tiny", "x" * 1_000_000)))
    assert len(line) < 2000


def test_a_name_that_is_not_valid_is_told_where_it_stands(write):
    (line, *_) = mistakes(write(replaced("  one:", "  one: {model: opt-tiny}\n  Bad:")))
    assert line.startswith("spec.yaml:7:3: error: experiments.Bad: 'Bad' is not a valid name")
