"""Reference packs: files of published values that a spec names."""

from __future__ import annotations

import pytest
from conftest import install
from small import SMALL, mistakes

from benchspec import load

PACK = """\
- source: a paper
  date: 2023
  hardware: xe9680-h100
  metric: train_runtime
  given: {train.epochs: 3}
  values:
    - {where: {model: opt-tiny}, value: 15 min}
    - {ordering: [opt-tiny, opt-125m], by: model}
"""


def test_a_name_among_the_references_stands_for_the_entries_of_its_file(write):
    write(PACK, "packs/paper.yaml")
    more = "  - {source: me, metric: train_runtime, values: [{value: 1}]}\n"
    found = load(write(SMALL + "references:\n  - packs/paper.yaml\n" + more)).references
    assert [(each.source, each.kind, each.experiment) for each in found] == [
        ("a paper", "value", None),
        ("a paper", "ordering", None),
        ("me", "value", None),
    ]
    assert found[0].value == 900 and found[0].given == {"train.epochs": 3}


def test_a_pack_is_relative_to_the_file_that_names_it(write):
    write(PACK, "shared/paper.yaml")
    write("references: [paper.yaml]\n", "shared/base.yaml")
    assert len(load(write("include: [shared/base.yaml]\n" + SMALL)).references) == 2


def test_a_pack_may_come_in_an_installed_package_which_is_not_imported(write, tmp_path, monkeypatch):
    site = install(tmp_path / "site", "acme", "")
    (site / "acme.py").unlink()
    (site / "acme_packs").mkdir()
    (site / "acme_packs/__init__.py").write_text("raise SystemExit('imported')")
    (site / "acme_packs/paper.yaml").write_text(PACK)
    monkeypatch.syspath_prepend(str(site))
    spec = write(SMALL + "references: ['acme_packs:paper.yaml']\n")
    assert len(load(spec).references) == 2
    (line,) = mistakes(write(SMALL + "references: ['acme_packs:../acme-1.0.dist-info/METADATA']\n"))
    assert "the package 'acme_packs' has no file '../acme-1.0.dist-info/METADATA'" in line


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.yaml", "spec.yaml:9:5: error: references[0]: "),
        ("'nowhere:paper.yaml'", "no package is called 'nowhere'; a pack is FILE or PACKAGE:FILE"),
        ("mapping.yaml", "mapping.yaml:1:1: error: a reference pack is a list of entries"),
        ("wrong.yaml", "wrong.yaml:1:29: error: [0].metric: 'train_time' is not allowed"),
    ],
)
def test_a_pack_that_cannot_be_used_is_one_line_at_its_place(write, name, message):
    write("a: 1\n", "mapping.yaml")
    write("- {source: a paper, metric: train_time, values: [{value: 1}]}\n", "wrong.yaml")
    (line,) = mistakes(write(SMALL + f"references:\n  - {name}\n"))
    assert message in line


def test_a_pack_in_place_of_a_spec_is_told_where_it_belongs(write):
    text = "- {source: ours, metric: train_runtime, values: [{value: 3}]}\n"
    (problem,) = mistakes(write(text))
    assert problem.endswith(
        "spec.yaml:1:1: error: this is a reference pack and no spec; name it under 'references' of a spec"
    )
