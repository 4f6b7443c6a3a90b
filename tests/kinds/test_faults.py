"""A plugin's exception, or a wrong value that it returned, in words that name its file and line."""

import json
from pathlib import Path

import pytest

from benchspec import Backend, BenchspecError, PluginError
from benchspec.kinds.faults import defined_at, explained, returned, wrong

HERE = Path(__file__)
MINE = {__name__.partition(".")[0]}


def line_of(text):
    (line,) = [number for number, line in enumerate(HERE.read_text().splitlines(), 1) if line.strip() == text]
    return line


class Careless(Backend):
    name = "careless"

    def prove(self, model):
        return None

    def arguments(self):
        return self.options["missing"]


class WordlessError(Exception):
    def __str__(self):
        raise RuntimeError


def raised(call):
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def test_an_exception_comes_with_the_line_of_the_plugin_that_raised_it():
    error = raised(Careless({}).arguments)
    line = line_of('return self.options["missing"]')
    assert explained(error, MINE) == f"KeyError: 'missing' ({HERE}:{line})"


def test_an_exception_of_a_library_comes_with_the_line_of_the_plugin_that_called_it():
    error = raised(lambda: json.loads("{"))
    assert explained(error, MINE).startswith("JSONDecodeError: Expecting property name")
    line = line_of('error = raised(lambda: json.loads("{"))')
    assert explained(error, MINE).endswith(f" ({HERE}:{line})")


def test_without_a_line_of_a_plugin_it_is_that_of_the_class():
    error = TypeError("prove() takes 1 positional argument but 2 were given")
    assert explained(error, MINE, Careless).endswith(f"given ({HERE}:{line_of('class Careless(Backend):')})")
    assert explained(error, MINE) == f"TypeError: {error}"


def test_what_a_plugin_words_for_the_user_stays_as_it_is():
    assert explained(BenchspecError("row 3 has no output"), MINE, Careless) == "row 3 has no output"


def test_a_message_is_one_line_and_may_be_missing():
    assert explained(ValueError("two\n  lines"), ()) == "ValueError: two lines"
    assert explained(WordlessError(), ()) == "WordlessError: its message cannot be shown: __str__ raised RuntimeError"


def test_a_wrong_value_names_the_method_and_its_line():
    plugin = Careless({})
    with pytest.raises(PluginError) as caught:
        returned(plugin.prove, plugin.prove(None), dict, "a mapping")
    place = f"{HERE}:{line_of('def prove(self, model):')}"
    assert str(caught.value) == f"Careless.prove() returned None, not a mapping ({place})"
    assert returned(plugin.prove, {"sharding": "none"}, dict, "a mapping") == {"sharding": "none"}


def test_a_long_value_is_named_by_its_type():
    assert "returned a str, not a number" in str(wrong(Careless.prove, "x" * 500, "a number"))


def test_what_has_no_source_has_no_place():
    assert defined_at(type("Made", (), {})) == "" and defined_at(5) == "" and defined_at(len) == ""
