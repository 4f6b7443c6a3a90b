"""A spec as a whole: loaded, with all of its mistakes or none."""

from pathlib import Path

import pytest
from commands import counted
from small import SMALL, mistakes, replaced

from benchspec import SpecError, load, plan
from benchspec.terms import schemas
from benchspec_plugins.hardware.auto import Auto


def test_a_small_spec_is_valid(write):
    assert mistakes(write(SMALL)) == []
    assert load(write(SMALL)).name == "small"


def test_a_spec_error_holds_all_problems(write):
    with pytest.raises(SpecError) as caught:
        load(write(replaced("rows: 100", "rows: x") + "nonsense: 1\n"))
    assert len(caught.value.problems) == 2


def test_every_spec_of_ours_is_valid_and_can_be_planned():
    for file in sorted((Path(__file__).parents[2] / "specs").glob("*.yaml")):
        assert plan(load(file)), file
        assert file.read_text().startswith("# yaml-language-server: $schema=../schemas/spec.schema.json\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SMALL + "report: [{name: json, path: results.jsonl}]\n",
            "'results.jsonl' is not free: run.json, results.jsonl",
        ),
        (SMALL + "report: [{name: json, path: cases/../run.json}]\n", "is not free"),
        (SMALL + "report: [{name: json, path: ../x.json}]\n", "'../x.json' is not a file inside the run directory"),
        (SMALL + "report: [{name: json, path: /x.json}]\n", "'/x.json' is not a file inside the run directory"),
        (SMALL + "report: [{name: json, path: x}, {name: csv, path: ./x}]\n", "another report has the path 'x'"),
        (SMALL + "report: [table, {name: csv, path: report.txt}]\n", "another report has the path 'report.txt'"),
        (SMALL + "report: [csv, {name: json, path: report.csv/x}]\n", "another report has the path 'report.csv'"),
        (SMALL + "report: [csv, {name: csv}]\n", "another report has the path 'report.csv'; give one of them another"),
        (SMALL + "report: [{name: json, path: a/b}, {name: csv, path: a}]\n", "another report has the path 'a/b'"),
    ],
)
def test_a_mistake_is_one_line_with_place_and_reason(write, text, message):
    found = mistakes(write(text))
    assert any(message in line for line in found), found
    assert len(found) == 1


def test_the_machine_is_the_one_that_the_spec_names_and_else_what_is_here(write):
    named = load(
        write(replaced("name: small", "name: small\nhardware: {name: custom, accelerators: 3, memory: 2 GiB}"))
    )
    assert (named.facts.accelerators, named.facts.memory.value) == (3, 2**31)
    assert load(write(SMALL)).facts == Auto({"price_per_hour": None, "currency": None}).facts()


def test_the_machine_is_asked_once(write, monkeypatch):
    asked = counted(monkeypatch, Auto.facts, Auto)
    spec = load(write(SMALL + "    matrix: {train.seed: [1, 2, 3]}\n"))
    assert asked == []
    assert len(plan(spec)) == 3
    assert spec.facts is spec.facts
    assert len(asked) == 1


def test_reports_are_those_of_the_spec_or_a_default(write):
    assert load(write(SMALL)).report == schemas.load("spec")["properties"]["report"]["default"]
    spec = load(write(SMALL + "report: [csv, {name: markdown, path: report.md}]\n"))
    assert spec.report == ["csv", {"name": "markdown", "path": "report.md"}]


ALPACAS = """
from benchspec import Dataset, Launcher, Recipe, Reporter, hookimpl


class Rows(Dataset):
    name = "alpaca"

    def rows(self):
        return []


class Loop(Recipe):
    name = "alpaca"

    def train(self, job):
        pass


class Start(Launcher):
    name = "torchrun"

    def start(self, case_dir):
        pass

    attach = start


class Shown(Reporter):
    name = "table"

    def render(self, results):
        return ""


@hookimpl
def benchspec_register():
    return [Rows, Loop, Start, Shown]
"""


def test_another_packages_plugin_of_our_name_changes_no_spec_that_does_not_name_it(write, installed):
    (before,) = plan(load(write(SMALL)))
    installed("acme_rows", ALPACAS)
    spec = load(write(SMALL))
    (case,) = plan(spec)
    assert case.id == before.id
    assert [case.recipe["name"], case.launcher["name"]] == ["benchspec:alpaca", "benchspec:torchrun"]
    assert spec.report[0] == "benchspec:table"


def test_a_name_that_two_packages_have_is_a_mistake_until_the_spec_chooses(write, installed):
    (before,) = plan(load(write(replaced("{name: synthetic, rows: 100}", "alpaca"))))
    installed("acme_rows", ALPACAS)
    (line,) = mistakes(write(replaced("{name: synthetic, rows: 100}", "alpaca")))
    assert "the dataset 'alpaca' is installed more than once" in line
    assert line.endswith("write 'acme-rows:alpaca' or 'benchspec:alpaca'")
    ours, theirs = (
        plan(load(write(replaced("{name: synthetic, rows: 100}", f"{name}:alpaca"))))[0]
        for name in ("benchspec", "acme-rows")
    )
    assert ours.id == before.id and "path" in ours.dataset
    assert theirs.id != before.id and theirs.dataset == {"name": "acme-rows:alpaca"}


def test_a_distribution_may_be_given_where_no_other_has_the_name(write):
    text = replaced("opt-tiny", "benchspec:opt-tiny") + "    expect: [{where: {model: opt-tiny}, outcome: oom}]\n"
    (case,) = plan(load(write(text)))
    (bare,) = plan(load(write(SMALL)))
    assert case.id == bare.id and case.expected == ("oom",)


def test_the_resolved_document_holds_what_was_included_and_set(write):
    write("defaults: {train: {epochs: 1, seed: 7}}", "base.yaml")
    spec = load(write(replaced("name: small", "name: small\ninclude: [base.yaml]")), ["defaults.train.seed=8"])
    assert spec.plain() == {
        "benchspec": 1,
        "name": "small",
        "defaults": {"train": {"epochs": 1, "seed": 8}, "dataset": {"name": "synthetic", "rows": 100}},
        "experiments": {"one": {"model": "opt-tiny"}},
    }
    assert spec.sets == ("defaults.train.seed=8",)


def test_keys_that_begin_with_x_are_free_at_the_top_level(write):
    text = replaced("name: small", "name: small\nx-train: &short {max_steps: 3}\nx-note: {any: [thing]}")
    spec = load(write(text + "    train: *short\n"))
    (case,) = plan(spec)
    assert case.train["max_steps"] == 3
    assert not [key for key in spec.plain() if key.startswith("x-")]
    (line,) = mistakes(write(SMALL + "    x-note: 3\n"))
    assert "unknown key 'x-note'" in line


def test_a_spec_shows_itself_in_a_line(write, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write(SMALL)
    assert repr(load("spec.yaml")) == "<Spec 'small': 1 experiment, from spec.yaml>"


def test_one_value_to_set_needs_no_list(write):
    assert load(write(SMALL), "name=large").name == "large"
