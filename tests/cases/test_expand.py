import pytest

from benchspec import SpecError, load, plan
from benchspec.cases.case import Case
from benchspec.cases.needs import needs

HEAD = "benchspec: 1\nname: x\ndefaults: {model: opt-tiny, dataset: synthetic}\nexperiments:\n  one:\n"


@pytest.fixture
def cases(tmp_path):
    """The cases of an experiment whose fields are given as YAML lines."""

    def cases(fields, *sets, head=HEAD):
        file = tmp_path / "spec.yaml"
        file.write_text(head + "".join(f"    {line}\n" for line in fields.splitlines()))
        return plan(load(file, sets))

    return cases


def test_without_a_matrix_an_experiment_is_one_case(cases):
    (case,) = cases("title: One")
    assert (case.experiment, case.model["name"], dict(case.axes)) == ("one", "opt-tiny", {})


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


def test_an_experiments_fields_win_and_a_matrix_wins_over_them(cases):
    first, second = cases("train: {seed: 1, epochs: 2}\nmatrix: {train.seed: [5, 6]}")
    assert (first.train["seed"], second.train["seed"], first.train["epochs"]) == (5, 6, 2)
    assert dict(first.axes) == {"train.seed": 5}


def test_an_axis_value_may_be_a_mapping(cases):
    found = cases(
        "matrix:\n  train: [{batch_size: 1, max_length: 64}, {batch_size: 2}]\n  backend: [ddp, {name: deepspeed, stage: 2}]"
    )
    assert [(case.train["batch_size"], case.train["max_length"]) for case in found[::2]] == [(1, 64), (2, 512)]
    assert found[1].backend["stage"] == 2
    assert found[1].id.startswith("opt-tiny-batch_size-1-max_length-64-deepspeed-stage-2-")


def test_an_axis_reaches_into_a_nested_plugin(cases):
    found = cases("dataset: {name: resampled, of: synthetic, rows: 5}\nmatrix: {dataset.of.rows: [10, 20]}")
    assert [case.dataset["of"]["rows"] for case in found] == [10, 20]


def test_an_axis_may_give_an_option_that_is_required(cases):
    found = cases("dataset: {name: resampled, of: synthetic}\nmatrix: {dataset.rows: [10, 20]}")
    assert [case.dataset["rows"] for case in found] == [10, 20]


def test_an_axis_inside_another_ones_value_has_the_last_word(cases):
    first, second = cases("matrix: {dataset.rows: [1, 8], dataset: [synthetic]}")
    assert (first.dataset["rows"], second.dataset["rows"]) == (1, 8)


def test_two_labels_for_one_content_are_no_two_cases(cases):
    with pytest.raises(SpecError, match=r"two cases have the id .*, but for its label"):
        cases("matrix: {train: [{epochs: 1}, {epochs: 2}], train.epochs: [7]}")


def test_a_matrix_too_large_for_any_machine_is_refused_at_once(cases):
    axes = ", ".join(f"train.{key}: [{', '.join(map(str, range(1, 60)))}]" for key in ("seed", "batch_size", "epochs"))
    with pytest.raises(SpecError, match="the matrix has 205,379 combinations, and 2,000 are allowed"):
        cases(f"matrix: {{{axes}}}")


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
    with pytest.raises(SpecError, match=r"experiments.one.dataset: 'rows' is missing \(number of"):
        cases("dataset: {name: resampled, of: synthetic}")


def test_ids_are_readable_and_stable(cases):
    first, second = cases("matrix: {dataset.rows: [10_000, 20_000]}")
    assert first.id.startswith("opt-tiny-rows-10000-") and len(first.id.rsplit("-")[-1]) == 6
    assert [case.id for case in cases("matrix: {dataset.rows: [10_000, 20_000]}")] == [first.id, second.id]


def test_an_id_is_bound_to_what_is_said_and_to_nothing_else(cases):
    (plain,) = cases("title: x")
    (retitled,) = cases("title: y\nexpect: [{outcome: [ok, oom]}]")
    (as_mapping,) = cases("model: {name: opt-tiny}")
    (other,) = cases("train: {seed: 42}")
    (elsewhere,) = cases("title: x", "hardware=xe9680-h100")
    assert plain.id == retitled.id == as_mapping.id == elsewhere.id
    assert other.id != plain.id, "naming a default is saying something"


def test_a_new_default_changes_no_id_of_a_case_that_does_not_name_it(cases, monkeypatch):
    from benchspec_plugins.datasets.synthetic import Synthetic

    (before,) = cases("title: x")
    properties = {**Synthetic.options_schema["properties"], "spice": {"type": "integer", "default": 3}}
    monkeypatch.setattr(Synthetic, "options_schema", {"properties": properties})
    (after,) = cases("title: x")
    assert after.dataset["spice"] == 3 and after.id == before.id


def test_expected_outcomes(cases):
    fields = "matrix: {model: [opt-tiny, bloom-tiny]}\nexpect: [{where: {model: bloom-tiny}, outcome: [oom, ok]}]"
    assert [case.expected for case in cases(fields)] == [("ok",), ("oom", "ok")]


def test_a_case_survives_its_file(cases):
    (case,) = cases("matrix: {train.seed: [1]}")
    assert Case.from_json(case.to_json()) == case


def test_the_shape_is_known_without_torch(cases, tmp_path):
    (case,) = cases("model: opt-6.7b")
    spec = load(tmp_path / "spec.yaml")
    assert needs(spec, case)["parameters"] == 6_658_473_984
