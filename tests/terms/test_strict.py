"""Strict JSON, read and written."""

import pytest

from benchspec.terms import strict


def nested(levels):
    return b"[" * levels + b"]" * levels


def test_what_is_strict_is_read():
    assert strict.parse(b'{"a": [1, 2.5, null, "\\udc80"]}') == {"a": [1, 2.5, None, "\udc80"]}
    assert strict.parse(nested(strict.DEEPEST))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"NaN", "NaN is not in JSON"),
        (b"[-Infinity]", "-Infinity is not in JSON"),
        (b"1e400", "1e400 is too large"),
        (nested(strict.DEEPEST + 1), "nested more than 64 levels deep"),
        (nested(100_000), "nested more than 64 levels deep"),
        (b'{"a": ', "Expecting value"),
    ],
)
def test_what_is_not_is_refused_in_a_few_words(text, said):
    with pytest.raises(ValueError, match=said):
        strict.parse(text)


def test_infinities_become_null_wherever_they_stand():
    value = {"a": [1.0, float("inf")], "b": (float("nan"), {"c": -float("inf")}), "d": "inf"}
    assert strict.without_infinities(value) == {"a": [1.0, None], "b": [None, {"c": None}], "d": "inf"}
