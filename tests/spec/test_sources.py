"""The files of a spec and `--set`: what is read, what wins, and what is refused."""

import pytest
from small import SMALL, mistakes

from benchspec import load, plan


def test_an_included_file_comes_first_and_deeply(write):
    write("defaults: {train: {epochs: 1, seed: 7}, dataset: {name: synthetic, rows: 5}}", "parts/base.yaml")
    text = SMALL.replace("name: small", "name: small\ninclude: [parts/base.yaml]") + "    train: {epochs: 2}\n"
    (case,) = plan(load(write(text)))
    assert (case.train["epochs"], case.train["seed"], case.dataset["rows"]) == (2, 7, 100)


def test_a_mistake_in_an_included_file_is_shown_there(write):
    write("defaults:\n  train: {epoch: 1}\n", "parts/base.yaml")
    (line,) = mistakes(write(SMALL.replace("name: small", "name: small\ninclude: [parts/base.yaml]")))
    assert line.startswith("parts/base.yaml:2:11: error: defaults.train.epoch: unknown key 'epoch'")


def test_circular_includes_are_refused(write):
    write("include: [spec.yaml]", "other.yaml")
    (line,) = mistakes(write(SMALL.replace("name: small", "name: small\ninclude: [other.yaml]")))
    assert line.startswith("other.yaml:1:11: error: include[0]: circular include: 'spec.yaml' includes")


def test_an_include_that_is_not_there(write):
    (line,) = mistakes(write(SMALL.replace("name: small", "name: small\ninclude: [gone.yaml]")))
    assert line == "spec.yaml:3:11: error: include[0]: cannot read 'gone.yaml': no such file"


@pytest.mark.parametrize(("content", "message"), [(b"\xff\xfe\x00", "not a text file in UTF-8"), (b"", "is empty")])
def test_a_file_that_is_not_text(tmp_path, content, message):
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
        ("include=[other.yaml]", "files are included before --set is applied"),
        ("experiments.on.model=opt-tiny", "no experiment is called 'on' (one); did you mean 'one'?"),
    ],
)
def test_a_mistake_in_set(write, text, message):
    (line,) = mistakes(write(SMALL), text)
    assert message in line
