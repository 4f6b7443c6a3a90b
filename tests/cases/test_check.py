"""Warnings about references and expectations that match no case."""

import pytest
from plugged import beside
from small import REFERENCE, SMALL, replaced

from benchspec import Dataset, SpecError, load, plan
from benchspec.cases.check import check, crowded_here, missing, unobtainable, unused_references, warnings
from benchspec.cases.needs import needed


def test_a_reference_that_matches_no_case_gets_a_warning(write):
    spec = load(write(REFERENCE % "value: 1, where: {model: opt-125m}"))
    (warning,) = unused_references(spec, plan(spec))
    assert str(warning).endswith("'where' matches no case") and warning.severity == "warning"


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (REFERENCE % "slope: 1, per: {dataset.rowz: 1}", "'per' names the field 'dataset.rowz', which no case has"),
        (
            (REFERENCE % "value: 1").replace("metric:", "hardware: xe9680-h10\n    metric:"),
            "did you mean 'xe9680-h100'?",
        ),
        (
            SMALL + "    expect: [{where: {model: opt-13b}, outcome: oom}]\n",
            "'where' matches no case",
        ),
    ],
)
def test_likely_mistakes_get_a_warning(write, text, warning):
    spec = load(write(text))
    (problem,) = unused_references(spec, plan(spec))
    assert problem.severity == "warning" and warning in str(problem)


def test_check_returns_the_spec_its_cases_and_the_mistakes_of_both(write):
    text = (
        replaced("defaults:", "descripton: x\ndefaults:")
        + "    train: {max_length: 4096}\n  two: {model: bloom-tiny}\n"
    )
    spec, expansion, problems = check(write(text))
    assert spec.name == "small"
    assert [case.experiment for case in expansion.cases] == ["one", "two"]
    assert [(problem.line, problem.path) for problem in problems] == [
        (3, "descripton"),
        (9, "experiments.one.train.max_length"),
    ]


def test_a_mistake_that_many_cases_share_is_reported_once(write):
    text = SMALL + "    train: {max_length: 4096}\n    matrix: {train.seed: [1, 2, 3]}\n"
    _, expansion, problems = check(write(text))
    assert len(expansion.cases) == 3
    assert len(problems) == 1


def test_a_mistake_that_spec_and_cases_both_find_is_reported_once(write):
    _, _, problems = check(write(replaced("opt-tiny", "opt-tini")))
    assert [problem.path for problem in problems] == ["experiments.one.model"]


def test_a_file_that_cannot_be_read_has_neither_spec_nor_cases(tmp_path):
    spec, expansion, (problem,) = check(tmp_path / "gone.yaml")
    assert (spec, expansion.cases) == (None, [])
    assert problem.message == "no such file"


def test_references_and_expectations_that_match_a_case_get_no_warning(write):
    text = (REFERENCE % "value: 1, where: {model: opt-tiny}").replace(
        "references:", "    expect: [{where: {dataset.rows: 100}, outcome: oom}]\nreferences:"
    )
    spec = load(write(text))
    assert list(unused_references(spec, plan(spec))) == []


MATRIX = replaced("model: opt-tiny", "matrix: {model: [opt-tiny, bloom-tiny]}")


@pytest.mark.parametrize(
    ("text", "set", "message"),
    [
        (
            MATRIX,
            "experiments.one.model=opt-125m",
            "experiments.one.model: has no effect: the matrix varies 'model'; use --set experiments.one.matrix.model=[…]",
        ),
        (MATRIX, "experiments.one.model=opt-tiny", "has no effect: the matrix varies 'model'"),
        (MATRIX, "defaults.model=opt-125m", "use --set experiments.NAME.matrix.model=[…]"),
        (
            SMALL,
            "defaults.model=opt-125m",
            "defaults.model: has no effect: the experiments give other values; use --set experiments.NAME.model=…",
        ),
        (
            SMALL,
            "train.max_steps=3",
            "'train' is a field of a case: write defaults.train.max_steps, or experiments.NAME",
        ),
    ],
)
def test_a_set_that_reaches_no_case_is_a_mistake(write, text, set, message):
    _, _, (problem,) = check(write(text), [set])
    assert str(problem).startswith(f"--set {set}:1:1: error: ") and message in str(problem)


@pytest.mark.parametrize(
    "set",
    [
        "experiments.one.matrix.model=[opt-125m]",
        "experiments.one.train.seed=3",
        "defaults.train={seed: 3, epochs: 1}",
        "defaults.train.max_steps=null",
        "defaults={train: {seed: 4}}",
        "defaults.dataset.rows=7",
        "name=other",
        "experiments.one.title=Other",
    ],
)
def test_a_set_that_reaches_a_case_is_none(write, set):
    assert check(write(MATRIX), [set])[2] == []


def test_a_set_that_shrinks_a_matrix_gets_one_warning(write):
    text = MATRIX + "references:\n  - source: x\n    metric: train_runtime\n    values:\n"
    text += "      - {experiment: one, where: {model: bloom-tiny}, value: 1}\n" * 9
    spec = load(write(text), ["experiments.one.matrix.model=[opt-tiny]"])
    (warning,) = unused_references(spec, plan(spec))
    assert warning.message.startswith("with --set, 9 'where's of references and expectations match no case")


def warned(write, text, *sets, registry=None):
    spec, expansion, problems = check(write(text), sets, registry)
    assert problems == []
    found = [*warnings(spec, expansion, needed(spec, expansion)), *missing(expansion)]
    assert {problem.severity for problem in found} <= {"warning"}
    return [f"{problem.line}: {problem.path}: {problem.message}" for problem in found]


def test_more_processes_than_cores_get_a_warning_where_there_is_no_gpu(write, monkeypatch):
    monkeypatch.setattr("benchspec.cases.check.usable_cores", lambda: 2)
    text = SMALL + "    launcher: {name: torchrun, processes: 3}\n    matrix: {train.seed: [1, 2]}\n"
    (line,) = warned(write, text, "hardware=cpu")
    assert line == "8: experiments.one.launcher: 3 processes on 2 cores: this machine has no GPU"
    assert warned(write, text, "hardware=xe9680-h100") == []
    assert warned(write, text, "hardware=cpu", "experiments.one.launcher.processes=2") == []


@pytest.mark.parametrize(
    ("gpus", "said"), [(0, "8 processes on 2 cores"), (4, "8 processes on a machine with 4 GPUs"), (8, None)]
)
def test_a_machine_that_a_spec_names_may_have_more_than_this_one(write, monkeypatch, gpus, said):
    monkeypatch.setattr("benchspec.cases.check.usable_cores", lambda: 2)
    _, expansion, _ = check(write(SMALL), ["hardware=xe9680-h100"])
    found = crowded_here(expansion, expansion.cases, gpus)
    assert found is None if said is None else found.startswith(said)


def test_more_processes_than_gpus_get_a_warning(write):
    text = SMALL + "    launcher: {name: torchrun, processes: 3}\n    matrix: {train.seed: [1]}\n"
    one = "hardware={name: custom, accelerators: 1, memory: 80 GiB, peak: {bf16: 1e15}}"
    (line,) = warned(write, text, one)
    assert "3 processes on a machine with 1 GPU; lower launcher.processes, or set CUDA_VISIBLE_DEVICES=" in line


def test_warm_up_that_leaves_no_step_gets_a_warning(write):
    text = SMALL + "    train: {max_steps: 4}\n    measure: {warmup_steps: %s}\n"
    (line,) = warned(write, text % 4)
    assert line.endswith("measure.warmup_steps: 4 steps of warm-up leave none of the 4 steps for rates and step times")
    assert warned(write, text % 3) == []


def test_a_folder_in_place_of_a_file_gets_a_warning(write, tmp_path):
    (line,) = warned(write, replaced("{name: synthetic, rows: 100}", f"{{name: alpaca, path: {tmp_path}}}"))
    assert line == f"4: defaults.dataset: '{tmp_path}' is a folder, not a file of rows"


class Farther(Dataset):
    """Rows that only a network brings, which is down."""

    name = "farther"
    options_schema = {"properties": {"local": {"type": "boolean", "default": False}}}

    def rows(self):
        return []

    def missing(self, online):
        return [] if self.options["local"] or not online else ["the rows are far away"]


def test_what_only_the_network_could_bring_is_reported_once_and_only_for_the_cases_to_run(write):
    text = replaced("{name: synthetic, rows: 100}", "farther") + "    matrix: {train.seed: [1, 2, 3]}\n"
    text += "  two: {model: opt-tiny, dataset: {name: farther, local: true}}\n"
    assert warned(write, text, registry=beside(Farther)) == []
    spec, expansion, _ = check(write(text), registry=beside(Farther))
    (problem,) = unobtainable(spec, expansion, expansion.cases)
    assert (problem.line, problem.message, problem.severity) == (4, "the rows are far away", "error")
    assert unobtainable(spec, expansion, expansion.cases[3:]) == []


def test_each_plugin_is_asked_once_what_is_missing(write, monkeypatch):
    asked = []
    monkeypatch.setattr(Farther, "missing", lambda self, online: asked.append(online) or [])
    text = replaced("{name: synthetic, rows: 100}", "farther") + "    matrix: {train.seed: [1, 2, 3]}\n"
    spec, expansion, _ = check(write(text), registry=beside(Farther))
    unobtainable(spec, expansion, expansion.cases)
    assert asked == [False, True]


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (lambda self, online: 1 // 0, "cannot say what is missing: ZeroDivisionError"),
        (lambda self, online: "all of it", "returned 'all of it', not a list of lines"),
        (lambda self, online: None, "cannot say what is missing: TypeError"),
    ],
)
def test_a_plugin_that_cannot_say_what_is_missing_is_a_warning_that_names_it(write, monkeypatch, says, told):
    monkeypatch.setattr(Farther, "missing", says)
    text = replaced("{name: synthetic, rows: 100}", "farther")
    (line,) = warned(write, text, registry=beside(Farther))
    assert line.startswith("4: defaults.dataset: ") and told in line


def test_a_case_with_another_cases_mistake_is_not_completed(write):
    text = replaced("opt-tiny", "{name: opt-tiny, hidden: wide}") + "    matrix: {train.seed: [1, 2]}\n"
    _, expansion, problems = check(write(text))
    assert [each.message for each in problems] == ["expected an integer or null, found 'wide'"]
    assert expansion.cases == []


def test_a_pack_of_which_nothing_matches_gets_a_warning(write):
    text = (REFERENCE % "value: 1, where: {model: opt-tinyy}").replace("experiment: one, ", "")
    spec = load(write(text))
    (warning,) = unused_references(spec, plan(spec))
    assert str(warning).endswith("no value of 'a paper' matches a case")


def test_a_condition_of_a_metric_may_have_a_unit(write):
    given = "metric: train_runtime\n    given: {peak_memory_reserved: 2 GiB}"
    text = (REFERENCE % "value: 1").replace("metric: train_runtime", given)
    (reference,) = load(write(text)).references
    assert reference.given == {"peak_memory_reserved": 2 << 30}
    with pytest.raises(SpecError, match=r"given.peak_memory_reserved: .*'2 furlongs'"):
        load(write(text.replace("2 GiB", "2 furlongs")))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            "    train: {max_steps: 30}\n    measure: {mode: sampled}\n",
            "nothing is sampled: all 30 steps run, since the first look is after 30",
        ),
        ("    measure: {precision: 5%}\n", "measure.precision: has no effect without mode: sampled"),
    ],
)
def test_a_sampled_measurement_that_is_none_is_warned_of(write, fields, said):
    (line,) = warned(write, SMALL + fields)
    assert line.endswith(said)


def test_an_exclude_that_no_combination_agrees_with_gets_a_warning(write):
    text = SMALL + "    matrix: {train.seed: [1, 2], exclude: [{train.seed: 1}, {train.seed: '2'}]}\n"
    assert warned(write, text) == [
        "8: experiments.one.matrix.exclude[1]: no combination of the matrix has these values, so that none is excluded"
    ]


def test_an_axis_below_a_name_is_told_at_the_axis(write):
    _, _, problems = check(write(SMALL + "    matrix: {model.name.x: [1, 2]}\n"))
    (problem,) = problems
    assert (problem.line, problem.path) == (8, "experiments.one.matrix.model.name.x")
    assert "a name has no fields of its own" in problem.message
