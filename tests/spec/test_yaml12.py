"""YAML text -> nodes: YAML 1.2's scalars, and what is refused."""

from pathlib import Path

import pytest

from benchspec.spec.yaml12 import parse
from benchspec.terms.errors import SpecError


def tree(text, file="spec.yaml"):
    return parse(text, file, Path())


def mistakes(text):
    with pytest.raises(SpecError) as caught:
        tree(text)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-5", 2e-5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("10_000", 10_000),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("-3", -3),
        ("true", True),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("'1'", "1"),
        ("9223372036854775807", 2**63 - 1),
        ("~", None),
        ("", None),
        ("none", "none"),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    found = tree(f"key: {text}").plain()["key"]
    assert found == value and type(found) is type(value)


def test_anchors_and_merge_keys_work():
    assert tree("base: &b {x: 1, y: 2}\nnext: {<<: *b, y: 3}\nsame: *b").plain() == {
        "base": {"x": 1, "y": 2},
        "next": {"x": 1, "y": 3},
        "same": {"x": 1, "y": 2},
    }


def test_all_duplicate_keys_are_found_at_once():
    assert mistakes("a: 1\na: 2\nb: {c: 1, c: 2}") == [
        "spec.yaml:2:1: error: a: duplicate key 'a' (first in line 1)",
        "spec.yaml:3:11: error: b.c: duplicate key 'c' (first in line 3)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "1:"),
        ("a: 1\n---\nb: 2", "found another document"),
        ("", "the file is empty"),
        ("# only a comment", "the file is empty"),
        ("a: .nan", "is not a finite number"),
        ("a: -.inf", "is not a finite number"),
        ("? [a]\n: b", "a key must be a string"),
        ("a: !!python/object/apply:os.system [true]", "a spec is plain data"),
        ("a: &a [*a]", "refers to a value that contains it"),
        ("\x00", "control characters"),
        ("a: " + "[" * 80 + "]" * 80, "nested more than 50 levels deep"),
        # Each of these overflows the stack of libyaml when it is composed.
        ("[" * 30_000, "nested more than 50 levels deep"),
        ("- " * 30_000 + "x", "nested more than 50 levels deep"),
        ("? " * 30_000, "nested more than 50 levels deep"),
        ("[" + "a," * 300_000 + "]", "more than 100,000 values"),
        ("a: 9223372036854775808", "a: '9223372036854775808' is not an integer of 64 bits"),
        ("a: -9223372036854775809", "is not an integer of 64 bits"),
        ("a: 0x" + "f" * 5000, "fff…' is not an integer of 64 bits"),
        ("a: 0o" + "7" * 5000, "777…' is not an integer of 64 bits"),
        ("a: " + "9" * 5000, "999…' is not an integer of 64 bits"),
        ("a: 1e400", "'1e400' is not a finite number"),
        ("\ta: 1", "spec.yaml:1:1: error: broken YAML: found a tab; YAML indents with spaces only"),
        ("a:\n\tb: 1", "spec.yaml:2:1: error: broken YAML: found a tab"),
        ("a:\n  b: 1\n  \tc: 2", "spec.yaml:3:3: error: broken YAML: found a tab"),
        ("a: |\n\ttext", "spec.yaml:2:1: error: broken YAML: found a tab"),
        ("a: b: c", "spec.yaml:1:5: error: broken YAML: mapping values are not allowed in this context"),
        ("a: ${{ matrix.x }}", "spec.yaml:1:4: error: a: '${{ matrix.x }}' is plain text: a spec has no ${{ expr"),
        ("a: [${{ matrix.x }}]", "An axis sets its field by itself: with `matrix: {train.seed: [1, 2]}` each case has"),
    ],
)
def test_broken_yaml_is_one_line(text, message):
    (line,) = mistakes(text)
    assert line.startswith("spec.yaml:") and message in line and "\n" not in line


def test_an_alias_bomb_is_refused_quickly():
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
    (line,) = mistakes("\n".join(lines))
    assert "more than 100,000 values in a spec and its includes, aliases expanded" in line
