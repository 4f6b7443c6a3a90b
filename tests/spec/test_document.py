"""Nodes, with the places where they were written, and how trees of them are merged."""

from pathlib import Path

from benchspec.spec.document import assign, merge, merge_roots
from benchspec.spec.yaml12 import parse


def tree(text, file="spec.yaml"):
    return parse(text, file, Path())


def test_every_value_has_its_position():
    node = tree("a:\n  b: [1, {c: x}]\n").at(["a", "b", 1, "c"])
    assert (node.value, node.mark.line, node.mark.column, node.key.column) == ("x", 2, 14, 11)
    assert str(node.problem("bad")) == "spec.yaml:2:14: error: a.b[1].c: bad"


def test_merging_is_deep_and_the_later_wins():
    base, over = tree("t: {a: 1, b: 2}\nl: [1]"), tree("t: {b: 3}\nl: [2]", "over.yaml")
    merged = merge(base, over)
    assert merged.plain() == {"t": {"a": 1, "b": 3}, "l": [2]}
    assert merged.at(["t", "a"]).mark.file == "spec.yaml" and merged.at(["t", "b"]).mark.file == "over.yaml"


def test_merging_does_not_mix_the_options_of_two_plugins():
    base = tree("d: {name: resampled, of: alpaca}")
    assert merge(base, tree("d: {name: synthetic, rows: 5}")).plain() == {"d": {"name": "synthetic", "rows": 5}}
    assert merge(base, tree("d: {name: resampled, rows: 5}")).plain() == {
        "d": {"name": "resampled", "of": "alpaca", "rows": 5}
    }


def test_files_of_different_names_are_merged():
    assert merge_roots(tree("name: a\nx: 1"), tree("name: b")).plain() == {"name": "b", "x": 1}


def test_assigning_below_a_plugins_name_makes_it_a_mapping():
    root = assign(tree("dataset: synthetic"), ["dataset", "rows"], tree("10"))
    assert root.plain() == {"dataset": {"name": "synthetic", "rows": 10}}


def test_assigning_creates_missing_mappings_on_the_path():
    assert assign(tree("a: 1"), ["train", "save", "every"], tree("5")).plain() == {
        "a": 1,
        "train": {"save": {"every": 5}},
    }
