import json

from benchspec import Dataset, Model
from benchspec.kinds import listing
from benchspec.kinds.discovery import Broken, Entry, Origin
from benchspec.kinds.registry import Registry

ORIGIN = Origin("benchspec-letters 2.1", "benchspec_letters.rows")


class Letters(Dataset):
    """Rows of letters.

    More that a list need not say.
    """

    name = "letters"
    presets = {"vowels": {"only": "aeiou"}}


class Silent(Model):
    name = "silent"


ENTRIES = [
    Entry("model", "silent", Silent, {}, ORIGIN),
    Entry("dataset", "letters", Letters, {}, ORIGIN),
    Entry("dataset", "vowels", Letters, Letters.presets["vowels"], ORIGIN),
]
BROKEN = Broken(Origin("benchspec-gone 0.3", "benchspec_gone"), "ModuleNotFoundError: No module named 'gone'")


def test_the_table_lists_plugins_and_their_packages():
    lines = listing.as_table(Registry(ENTRIES)).splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [
        ["dataset", "letters"],
        ["dataset", "vowels"],
        ["model", "silent"],
    ]
    assert "Rows of letters." in lines[2] and lines[2].endswith("benchspec-letters 2.1 (benchspec_letters.rows)")
    assert "letters with its options set" in lines[3]
    assert "Not loaded" not in "".join(lines)


def test_the_table_lists_what_did_not_load_and_why():
    *_, heading, line = listing.as_table(Registry(ENTRIES, [BROKEN])).splitlines()
    assert heading == "Not loaded:"
    assert line.strip() == "benchspec-gone 0.3 (benchspec_gone): ModuleNotFoundError: No module named 'gone'"


def test_json_holds_the_same():
    found = json.loads(listing.as_json(Registry(ENTRIES, [BROKEN])))
    first, *_ = found["plugins"]
    assert first == {
        "kind": "dataset",
        "name": "letters",
        "class": "Letters",
        "description": "Rows of letters.",
        "distribution": "benchspec-letters 2.1",
        "module": "benchspec_letters.rows",
    }
    assert [one["name"] for one in found["plugins"]] == ["letters", "vowels", "silent"]
    assert found["broken"] == [
        {"distribution": "benchspec-gone 0.3", "module": "benchspec_gone", "reason": BROKEN.reason},
    ]


def test_plugins_of_one_name_are_listed_by_distribution():
    other = Entry("dataset", "letters", Letters, {}, Origin("others 1.0", "others"))
    found = json.loads(listing.as_json(Registry([*ENTRIES, other])))
    assert [one["name"] for one in found["plugins"]][:2] == ["benchspec-letters:letters", "others:letters"]
    assert found["broken"] == []
