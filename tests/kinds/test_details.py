"""What `benchspec plugins NAME` shows of a plugin, and all plugins as JSON values."""

import pytest
from plugged import backend, dataset

from benchspec import Dataset, PluginError
from benchspec.kinds import details
from benchspec.kinds.details import type_text
from benchspec.kinds.discovery import Broken, Entry, Origin
from benchspec.kinds.registry import Registry

ORIGIN = Origin("benchspec-letters 2.1", "benchspec_letters.rows")


class Letters(Dataset):
    """Rows of letters.

    How they are drawn is told here, in a paragraph that is so long that it takes more than one line of a terminal.
    """

    name = "letters"
    options_schema = {
        "properties": {
            "only": {"type": "string", "description": "the letters to draw from"},
            "count": {"type": "integer", "minimum": 1, "default": 10, "description": "rows"},
            "wait": {"type": ["number", "string", "null"], "format": "seconds", "default": None},
            "drawn": {"type": "object", "default": {}, "properties": {"seed": {"type": "integer", "default": 1}}},
        },
        "required": ["only"],
    }
    presets = {"vowels": {"only": "aeiou"}}

    def rows(self):
        return []


REGISTRY = Registry(
    [
        Entry("dataset", "letters", Letters, {}, ORIGIN),
        Entry("dataset", "vowels", Letters, Letters.presets["vowels"], ORIGIN),
        Entry("dataset", "same", dataset("same"), {}, ORIGIN),
        Entry("backend", "same", backend("same"), {}, ORIGIN),
    ],
    [Broken(ORIGIN, "ValueError: no")],
)


def page(name, width=80):
    return details.as_text(REGISTRY, details.named(REGISTRY, name), width)


def test_a_page_has_the_help_the_options_and_the_presets():
    assert (
        page("letters")
        == """\
dataset letters: benchspec-letters 2.1 (benchspec_letters.rows)

Rows of letters.

How they are drawn is told here, in a paragraph that is so long that it takes
more than one line of a terminal.

Options:
  only: string (required)
      the letters to draw from
  count: integer, at least 1 (default: 10)
      rows
  wait: number or duration such as 15 min or null (default: null)
  drawn: mapping (default: {})
  drawn.seed: integer (default: 1)

Presets: vowels"""
    )


def test_a_preset_shows_its_own_values_as_defaults():
    text = page("vowels")
    assert text.startswith("dataset vowels: a preset of letters, benchspec-letters 2.1")
    assert "  only: string (default: aeiou)\n" in text and "Presets" not in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_page_fits_the_width(width):
    assert max(map(len, page("letters", width).splitlines())) <= width


def test_all_kinds_of_a_name_are_shown():
    text = page("same")
    assert "dataset same: " in text and "backend same: " in text and text.count("It has no options.") == 2


def test_a_name_with_its_distribution_is_found():
    assert page("benchspec-letters:vowels") == page("vowels")


def test_an_unknown_name_is_an_error_with_a_suggestion():
    with pytest.raises(PluginError, match="no plugin is called 'leters'; did you mean 'letters'"):
        page("leters")


def test_values_hold_the_same():
    values = details.as_values(REGISTRY, REGISTRY.entries())
    assert [one["name"] for one in values["plugins"]] == ["letters", "same", "vowels", "same"]
    vowels = values["plugins"][2]
    assert {key: value for key, value in vowels.items() if key != "options"} == {
        "kind": "dataset",
        "name": "vowels",
        "class": "Letters",
        "preset_of": "letters",
        "description": "Rows of letters.",
        "distribution": "benchspec-letters 2.1",
        "module": "benchspec_letters.rows",
        "parameters": None,
        "remarks": [],
    }
    assert vowels["options"][:2] == [
        {
            "name": "only",
            "type": "string",
            "required": False,
            "default": "aeiou",
            "description": "the letters to draw from",
        },
        {"name": "count", "type": "integer, at least 1", "required": False, "default": 10, "description": "rows"},
    ]
    assert values["broken"] == [
        {"distribution": ORIGIN.distribution, "module": ORIGIN.module, "reason": "ValueError: no"}
    ]


@pytest.mark.parametrize(
    ("fragment", "text"),
    [
        ({}, "any value"),
        ({"type": "boolean"}, "true or false"),
        ({"enum": ["a", 3, True, None]}, "a or 3 or true or null"),
        ({"const": "cpu"}, "cpu"),
        ({"type": ["integer", "null"], "minimum": 1}, "integer or null, at least 1"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "number, more than 0, less than 1"),
        ({"type": ["string", "null"], "format": "path-or-hub"}, "path or hub name or null"),
        ({"type": "array", "items": {"type": "string"}}, "list"),
        ({"$ref": "#/$defs/dataset"}, "a dataset plugin"),
    ],
)
def test_what_an_option_takes_is_said_in_words(fragment, text):
    assert type_text(fragment) == text


def test_a_page_says_what_may_be_misspelt():
    cls = type("Odd", (dataset("odd"),), {"name": "odd", "__doc__": "Odd.", "idenity": lambda self: "x"})
    registry = Registry([Entry("dataset", "odd", cls, {}, ORIGIN)])
    text = details.as_text(registry, details.named(registry, "odd"), 80)
    assert text.endswith("Perhaps misspelt: Odd.idenity(): did you mean 'identity'?")


def test_a_name_of_a_plugin_that_did_not_load_is_answered_with_the_reason():
    with pytest.raises(PluginError, match=r"no plugin is called 'gone'.*; not loaded: .*: ValueError: no"):
        details.named(REGISTRY, "gone")
