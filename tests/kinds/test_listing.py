"""The table of installed plugins, at any width."""

import pytest

from benchspec import Dataset, Model, Shape
from benchspec.kinds import listing
from benchspec.kinds.discovery import Broken, Entry, Origin
from benchspec.kinds.registry import Registry

ORIGIN = Origin("benchspec-letters 2.1", "benchspec_letters.rows")


class Letters(Dataset):
    """Rows of letters, each of which is one of those that are given.

    More that a list need not say.
    """

    name = "letters"
    options_schema = {"properties": {"only": {"type": "string"}}}
    presets = {"vowels": {"only": "aeiou"}, "few": {"only": "abc"}}

    def rows(self):
        return []


class Sized(Model):
    """A model of layers."""

    name = "sized"
    options_schema = {"properties": {"layers": {"type": "integer"}}, "required": ["layers"]}
    presets = {"sized-large": {"layers": 1300}, "sized-small": {"layers": 2}, "sized-odd": {"layers": 0}}

    def shape(self):
        layers = self.options["layers"]
        sizes = {"heads": 1, "ffn": 1, "vocabulary": 1, "positions": None, "tied_head": True, "lookup_parameters": 0}
        # Nothing can be said of no layers: a bug of the plugin.
        return Shape(layers=layers, hidden=1_000_000 // layers * layers, parameters=layers * 1_000_000, **sizes)

    def tokeniser(self):
        return None


def entries(*classes):
    return [
        Entry(cls.kind, name, cls, preset, ORIGIN)
        for cls in classes
        for name, preset in {cls.name: {}, **cls.presets}.items()
    ]


BROKEN = Broken(Origin("benchspec-gone 0.3", "benchspec_gone"), "ModuleNotFoundError: No module named 'gone'")


def table(*broken, width=200):
    return listing.as_table(Registry(entries(Letters, Sized), broken), width)


def test_the_table_lists_each_class_with_its_package_and_presets():
    lines = [line.rstrip() for line in table().splitlines()]
    assert lines[2].split()[:2] == ["dataset", "letters"] and lines[2].endswith("benchspec-letters 2.1")
    assert "Rows of letters, each of which is one of those that are given." in lines[2]
    assert lines[3].strip() == "Presets: vowels, few"
    assert lines[4].split()[:2] == ["model", "sized"]
    assert "Not loaded" not in table()


def test_presets_of_models_have_their_sizes_the_smallest_first():
    assert "Presets: sized-odd, sized-small (2 M), sized-large (1.3 G)\n" in table().replace("  ", "").replace(
        " \n", "\n"
    )


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_table_fits_the_width_and_loses_nothing(width):
    text = table(width=width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(text.split())
    assert all(word in words for word in ("letters,", "given.", "sized-small (2 M)", "sized-large (1.3 G)"))


def test_the_table_says_what_did_not_load_and_why():
    *_, heading, line = table(BROKEN).split("\n\n")[-2].splitlines()
    assert heading == "Not loaded:"
    assert line.strip() == "benchspec-gone 0.3 (benchspec_gone): ModuleNotFoundError: No module named 'gone'"


def test_a_method_that_may_be_misspelt_is_a_remark():
    assert table().endswith("Perhaps misspelt:\n  Sized.tokeniser(): did you mean 'tokenizer'?")


def test_escape_codes_in_a_description_do_no_harm():
    cls = type("Rows", (Dataset,), {"name": "rows", "__doc__": "Rows\x1b]52;c;x\x07.", "rows": lambda self: []})
    text = listing.as_table(Registry(entries(cls)), 80)
    assert "\x1b" not in text and "\\x1b" in text


def test_without_plugins_there_is_a_table_without_rows():
    assert listing.as_table(Registry([]), 80).startswith("kind")


def test_plugins_of_one_name_from_two_distributions_are_listed_with_their_distributions():
    theirs = Entry("dataset", "letters", Letters, {}, Origin("Other_Letters 0.1", "other"))
    text = listing.as_table(Registry([*entries(Letters), theirs]), 120)
    assert "benchspec-letters:letters" in text and "other-letters:letters" in text
