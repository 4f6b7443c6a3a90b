"""The files of a spec and `--set`: what is read, what wins, and what is refused."""

import os
from threading import Thread

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


def test_the_mistakes_of_all_includes_are_told(write):
    write("a: 1\na: 2\n", "twice.yaml")
    lines = mistakes(write(including("gone.yaml, twice.yaml, torn.yaml")))
    assert len(lines) == 3 and lines[2].startswith("twice.yaml:2:1: error: ")


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


def including(text):
    return SMALL.replace("name: small", f"name: small\ninclude: [{text}]")


@pytest.mark.parametrize("file", ["/dev/zero", "/dev/urandom", "pipe"])
def test_only_regular_files_are_included(write, tmp_path, file):
    os.mkfifo(tmp_path / "pipe")
    (line,) = mistakes(write(including(file)))
    assert line == f"spec.yaml:3:11: error: include[0]: cannot read '{file}': not a regular file"


def test_a_spec_may_come_through_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = Thread(target=(tmp_path / "pipe").write_text, args=[SMALL])
    writer.start()
    assert mistakes(tmp_path / "pipe") == []
    writer.join()


@pytest.mark.parametrize("content", ["root:x:0:0:root:/root:/bin/bash", "[1, 2]", "3"])
def test_what_is_included_must_be_a_mapping_and_is_not_quoted(write, content):
    write(content, "other.yaml")
    (line,) = mistakes(write(including("other.yaml")))
    assert line == "spec.yaml:3:11: error: include[0]: 'other.yaml' is no part of a spec: it must hold a mapping"


def test_what_is_included_must_have_the_keys_of_a_spec(write):
    write("services: {web: {image: nginx}}", "compose.yaml")
    (line,) = mistakes(write(including("compose.yaml")))
    assert line.startswith("compose.yaml:1:1: error: services: unknown key 'services' (allowed: benchspec, name")


def test_files_that_include_each_other_many_times_are_refused(write):
    for level in range(8):
        write(f"include: [{', '.join([f'level{level + 1}.yaml'] * 30)}]", f"level{level}.yaml")
    write("defaults: {}", "level8.yaml")
    (line,) = mistakes(write(including("level0.yaml")))
    assert "more than 100 files are included" in line


def test_a_spec_and_its_includes_have_one_budget_of_bytes_and_one_of_values(write):
    write(f"# {'x' * 6_000_000}\ndefaults: {{}}", "long.yaml")
    (line,) = mistakes(write(including("long.yaml, long.yaml")))
    assert line.startswith(
        "spec.yaml:3:22: error: include[1]: cannot read 'long.yaml': a spec and its includes must not"
    )
    write(f"defaults: {{train: {{seed: [{'1, ' * 60_000}]}}}}", "many.yaml")
    (line,) = mistakes(write(including("many.yaml, many.yaml")))
    assert line.startswith("many.yaml:1:") and "more than 100,000 values in a spec and its includes" in line


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


def test_an_option_that_is_set_is_one_of_the_plugin_that_would_be_there(write):
    text = SMALL.replace("one:", "one.b:") + "  two: {model: opt-tiny}\n"
    sets = ["defaults.launcher.processes=2", "experiments.one.b.dataset.rows=5", "hardware.price_per_hour=3"]
    spec = load(write(text), sets)
    one, two = plan(spec)
    assert [(case.launcher["name"], case.launcher["processes"]) for case in (one, two)] == [("torchrun", 2)] * 2
    assert (one.dataset["name"], one.dataset["rows"], two.dataset["name"]) == ("synthetic", 5, "synthetic")
    assert two.dataset["rows"] != 5
    assert (spec.hardware_options["name"], spec.hardware_options["price_per_hour"]) == ("auto", 3)


def test_an_experiment_whose_name_is_a_path_within_another(write):
    text = SMALL.replace("one:", "a:") + "  a.train: {model: opt-tiny}\n"
    one, two = plan(load(write(text), ["experiments.a.train.seed=5", "experiments.a.train.train.seed=6"]))
    assert (one.train["seed"], two.train["seed"]) == (5, 6)


def test_an_option_of_a_plugin_that_another_one_has_is_set_too(write):
    text = SMALL.replace("{name: synthetic, rows: 100}", "{name: resampled, rows: 9, of: synthetic}")
    (case,) = plan(load(write(text), ["experiments.one.dataset.of.name=alpaca"]))
    assert (case.dataset["name"], case.dataset["of"]["name"]) == ("resampled", "alpaca")


def test_a_backend_that_is_not_named_depends_on_the_processes_so_that_its_options_need_a_name(write):
    (line,) = mistakes(write(SMALL), "defaults.backend.stage=3")
    assert "'name' is missing" in line


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
        ("a" + ".a" * 30_000 + "=1", "a path has at most 50 parts"),
        ("defaults.train.epochs=\udcff", "not text in UTF-8"),
        ("include=[other.yaml]", "files are included before --set is applied"),
        ("experiments.on.model=opt-tiny", "no experiment is called 'on' (one); did you mean 'one'?"),
    ],
)
def test_a_mistake_in_set(write, text, message):
    (line,) = mistakes(write(SMALL), text)
    assert message in line
