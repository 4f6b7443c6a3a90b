from pathlib import Path
from textwrap import dedent

import pytest

from benchspec import SpecError, load, plan
from benchspec.cases.check import unused_references
from benchspec.cases.expand import expand
from benchspec.spec.spec import check
from benchspec.terms.errors import distinct

SMALL = """\
benchspec: 1
name: small
defaults:
  dataset: {name: synthetic, rows: 100}
experiments:
  one:
    model: opt-tiny
"""


@pytest.fixture
def write(tmp_path):
    """Writes a spec into the temporary folder."""

    def write(text, name="spec.yaml"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
        return file

    return write


def mistakes(file, *sets):
    """Every line that `benchspec validate` would print, the temporary folder's path left out."""
    spec, problems = check(file, sets)
    found = [*problems, *(expand(spec).problems if spec else [])]
    return [str(problem).replace(f"{file.parent}/", "") for problem in distinct(found)]


def replaced(old, new):
    assert old in SMALL
    return SMALL.replace(old, new)


def test_a_small_spec_is_all_right(write):
    assert mistakes(write(SMALL)) == []
    assert load(write(SMALL)).name == "small"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            replaced("name: small", "name: Small!"),
            "spec.yaml:2:7: error: name: 'Small!' is no name: lower-case letters",
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
        (
            replaced("    model: opt-tiny", "    title: x"),
            "spec.yaml:6:3: error: experiments.one: 'model' is missing; give it",
        ),
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
            SMALL + "    matrix: {trian.seed: [3]}\n",
            "spec.yaml:8:14: error: experiments.one.matrix.trian.seed[0]: unknown axis path",
        ),
        (
            SMALL + "    matrix: {train.sed: [3, 4]}\n",
            "spec.yaml:8:14: error: experiments.one.matrix.train.sed[0]: unknown key 'sed'",
        ),
        (
            SMALL + "    matrix: {model: [opt-tiny, opt-tini]}\n",
            "spec.yaml:8:32: error: experiments.one.matrix.model[1]: no model",
        ),
        (SMALL + "    matrix: {train.seed: [1, 1]}\n", "two cases have the id 'opt-tiny-seed-1-"),
        (
            SMALL + "    matrix: {train.seed: [1], exclude: [{train.seed: 1}]}\n",
            "the matrix is empty: everything is excluded",
        ),
        (
            SMALL + "    matrix: {train.seed: [1], exclude: [{seed: 1}]}\n",
            "'seed' is no axis of this matrix (train.seed)",
        ),
        (SMALL + "    model.x: 3\n", "unknown key 'model.x'"),
        (replaced("model: opt-tiny", "model: opt"), "experiments.one.model: "),
        (SMALL + "report: [tabel]\n", "no reporter is called 'tabel'"),
        (
            SMALL + "report: [{name: json, path: results.jsonl}]\n",
            "'results.jsonl' is not free: run.json, results.jsonl",
        ),
        (SMALL + "report: [{name: json, path: cases/../run.json}]\n", "is not free"),
        (SMALL + "report: [{name: json, path: ../x.json}]\n", "'../x.json' is no file inside the run directory"),
        (SMALL + "report: [{name: json, path: /x.json}]\n", "'/x.json' is no file inside the run directory"),
        (SMALL + "report: [{name: json, path: x}, {name: csv, path: ./x}]\n", "another report has the path './x'"),
        (SMALL + "    expect: null\n", "experiments.one.expect: expected a list, found null"),
        (SMALL + "    launcher: {name: torchrun, processes: 0}\n", "processes: 0 must be at least 1"),
        (
            SMALL + "    launcher: {name: torchrun, processes: autoo}\n",
            "processes: 'autoo' is not allowed: a number, or auto: the only one that the backend takes",
        ),
        (replaced("name: small", 'name: "small\\n"'), "is no name: lower-case letters"),
        (replaced("opt-tiny", '"opt\\e[31m\\n"'), "no model is called 'opt\\x1b[31m\\n'"),
        ("a: " + "[" * 80 + "]" * 80, "nested more than 50 levels deep"),
        (SMALL + "hardware: h100\n", "no hardware is called 'h100'"),
        (SMALL + "    expect: [{outcome: fine}]\n", "'fine' is not allowed (allowed: ok, oom"),
        (SMALL + "    expect: [{where: {modl: x}, outcome: ok}]\n", "'modl' is no field of a case"),
        ("- 1\n- 2\n", "spec.yaml:1:1: error: expected a mapping, found a list"),
        ("just words\n", "spec.yaml:1:1: error: expected a mapping, found 'just words'"),
    ],
)
def test_a_mistake_is_one_line_that_says_where_and_what(write, text, message):
    found = mistakes(write(text))
    assert any(message in line for line in found), found
    assert len(found) == 1


def test_all_mistakes_of_a_file_come_at_once(write):
    text = replaced("opt-tiny", "opt-tini").replace("rows: 100", "rows: x") + "    trian: {}\nnonsense: 1\n"
    assert [line.split(":")[1] for line in sorted(mistakes(write(text)))] == ["4", "7", "8", "9"]


REFERENCE = (
    SMALL + "references:\n  - source: a paper\n    metric: train_runtime\n    values:\n      - {experiment: one, %s}\n"
)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("value: 15 parsec", "'15 parsec' is not a number with a unit"),
        ("value: 1, below: 2", "give one of value, below, above, between, slope, outcome; found value and below"),
        ("where: {}", "found none of them"),
        ("slope: 3 min", "'slope' and 'per' belong together"),
        ("between: [1]", "needs 2 values, found 1"),
        ("between: [10, 8]", "10 is more than 8; the lowest comes first"),
        ("value: 1, where: {modl: x}", "'modl' is no field of a case"),
        ("outcome: broken", "'broken' is not allowed"),
    ],
)
def test_a_reference_that_makes_no_sense(write, value, message):
    (line,) = mistakes(write(REFERENCE % value))
    assert message in line


def test_a_reference_to_an_unknown_metric_or_experiment(write):
    text = (REFERENCE % "value: 1").replace("train_runtime", "train_time").replace("experiment: one", "experiment: two")
    assert "'train_time' is not allowed" in mistakes(write(text))[0]
    text = (REFERENCE % "value: 1").replace("experiment: one", "experiment: two")
    assert mistakes(write(text))[0].endswith("no experiment is called 'two' (one)")


def test_references_come_in_their_metrics_unit(write):
    value, pair = (load(write(REFERENCE % text)).references[0] for text in ("value: 15 min", "between: [1 min, 2 min]"))
    assert (value.kind, value.value) == ("value", 900)
    assert pair.value == [60, 120]


def test_a_reference_that_no_case_agrees_with_is_warned_of(write):
    spec = load(write(REFERENCE % "value: 1, where: {model: opt-125m}"))
    (warning,) = unused_references(spec, plan(spec))
    assert str(warning).endswith("no case agrees with this reference's 'where'") and warning.severity == "warning"


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (REFERENCE % "slope: 1, per: {dataset.rowz: 1}", "no case has the field 'dataset.rowz' of this 'per'"),
        (
            (REFERENCE % "value: 1").replace("metric:", "hardware: xe9680-h10\n    metric:"),
            "did you mean 'xe9680-h100'?",
        ),
        (
            SMALL + "    expect: [{where: {model: opt-13b}, outcome: oom}]\n",
            "no case agrees with this expectation's 'where'",
        ),
    ],
)
def test_what_is_surely_not_meant_is_warned_of(write, text, warning):
    spec = load(write(text))
    (problem,) = unused_references(spec, plan(spec))
    assert problem.severity == "warning" and warning in str(problem)


def test_an_included_file_comes_first_and_deeply(write):
    write("defaults: {train: {epochs: 1, seed: 7}, dataset: {name: synthetic, rows: 5}}", "parts/base.yaml")
    text = SMALL.replace("name: small", "name: small\ninclude: [parts/base.yaml]") + "    train: {epochs: 2}\n"
    (case,) = plan(load(write(text)))
    assert (case.train["epochs"], case.train["seed"], case.dataset["rows"]) == (2, 7, 100)


def test_a_mistake_in_an_included_file_is_shown_there(write):
    write("defaults:\n  train: {epoch: 1}\n", "parts/base.yaml")
    (line,) = mistakes(write(SMALL.replace("name: small", "name: small\ninclude: [parts/base.yaml]")))
    assert line.startswith("parts/base.yaml:2:11: error: defaults.train.epoch: unknown key 'epoch'")


def test_includes_may_not_go_in_a_circle(write):
    write("include: [spec.yaml]", "other.yaml")
    (line,) = mistakes(write(SMALL.replace("name: small", "name: small\ninclude: [other.yaml]")))
    assert line.startswith("other.yaml:1:11: error: include[0]: the includes go in a circle: 'spec.yaml' includes")


def test_an_include_that_is_not_there(write):
    (line,) = mistakes(write(SMALL.replace("name: small", "name: small\ninclude: [gone.yaml]")))
    assert line == "spec.yaml:3:11: error: include[0]: cannot read 'gone.yaml': no such file"


@pytest.mark.parametrize(("content", "message"), [(b"\xff\xfe\x00", "not a text file in UTF-8"), (b"", "is empty")])
def test_a_file_that_is_no_text(tmp_path, content, message):
    file = tmp_path / "spec.yaml"
    file.write_bytes(content)
    assert message in mistakes(file)[0]


def test_a_file_that_is_not_there_or_a_folder(tmp_path):
    assert mistakes(tmp_path / "gone.yaml") == ["gone.yaml:1:1: error: no such file"]
    assert "is a directory" in mistakes(tmp_path)[0]


def test_set_wins_over_the_file(write):
    sets = ["experiments.one.model=bloom-tiny", "defaults.dataset.rows=7", "defaults.train.save.every=5"]
    spec = load(write(SMALL), sets)
    (case,) = plan(spec)
    assert (case.model["name"], case.dataset["rows"]) == ("bloom-tiny", 7)
    assert case.train["save"] == {"final": False, "every": 5, "keep": None}
    assert spec.sets == tuple(sets)


def test_set_reaches_an_axis_and_the_options_of_a_plugin_named_by_a_string(write):
    text = SMALL + "    matrix: {dataset.rows: [1, 2]}\n"
    sets = ["experiments.one.matrix.dataset.rows=[3]", "defaults.launcher.processes=2"]
    (case,) = plan(load(write(text), [*sets, "defaults.launcher.name=torchrun"]))
    assert (case.dataset["rows"], case.launcher["processes"]) == (3, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "defaults.train.epoch=3",
            "--set defaults.train.epoch=3:1:1: error: defaults.train.epoch: unknown key 'epoch'",
        ),
        ("defaults.train.epochs=x", "expected a number, found 'x'"),
        ("defaults.train.epochs", "expected PATH=VALUE"),
        ("=3", "expected PATH=VALUE"),
        ("defaults.train.epochs=", "the value is empty; write null for none"),
        ("defaults.train.epochs=[1", "broken YAML"),
        ("include=[other.yaml]", "files are included before anything is set"),
        ("experiments.on.model=opt-tiny", "no experiment is called 'on' (one); did you mean 'one'?"),
    ],
)
def test_a_mistake_in_set(write, text, message):
    (line,) = mistakes(write(SMALL), text)
    assert message in line


def test_paths_start_at_the_file_that_they_stand_in(write, tmp_path, monkeypatch):
    write("[]", "parts/rows.json")
    write("defaults: {dataset: {name: alpaca, path: rows.json}}", "parts/base.yaml")
    text = "benchspec: 1\nname: x\ninclude: [parts/base.yaml]\nexperiments: {one: {model: opt-tiny}}\n"
    file = write(text)
    monkeypatch.chdir(tmp_path.parent)
    (case,) = plan(load(file))
    assert case.dataset["path"] == str(tmp_path / "parts" / "rows.json")
    (case,) = plan(load(file, ["defaults.dataset.path=here.json"]))
    assert case.dataset["path"] == str(Path.cwd() / "here.json")


def test_a_hub_name_stays_one_unless_such_a_folder_is_there(write, tmp_path):
    (tmp_path / "local" / "opt").mkdir(parents=True)
    text = replaced("opt-tiny", "{name: hf, path: %s}")
    assert plan(load(write(text % "facebook/opt-125m")))[0].model["path"] == "facebook/opt-125m"
    assert plan(load(write(text % "local/opt")))[0].model["path"] == str(tmp_path / "local" / "opt")


def test_data_that_is_missing_is_told_apart_from_mistakes(write):
    expansion = expand(load(write(replaced("{name: synthetic, rows: 100}", "{name: alpaca, path: gone.json}"))))
    assert expansion.problems == []
    assert "gone.json' does not exist" in str(expansion.missing[0])


def test_every_spec_of_ours_is_valid_and_can_be_planned():
    for file in sorted((Path(__file__).parents[2] / "specs").glob("*.yaml")):
        assert plan(load(file)), file
        assert file.read_text().startswith("# yaml-language-server: $schema=../schemas/spec.schema.json\n")


def test_a_spec_error_holds_all_problems(write):
    with pytest.raises(SpecError) as caught:
        load(write(replaced("rows: 100", "rows: x") + "nonsense: 1\n"))
    assert len(caught.value.problems) == 2
