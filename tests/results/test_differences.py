"""What a result depends on, compared with what it would depend on now."""

from __future__ import annotations

from benchspec.results.differences import by_kind, differences

COMMIT = {"id": "a" * 40, "dirty": False, "digest": "111111aa"}
RECORD = {
    "data": {"fingerprint": "9f8e7d", "identity": "sha256 1f9c2a"},
    "processes": 2,
    "machine": {"accelerators": "2 × NVIDIA H100 80GB HBM3", "driver": "570.86.15"},
    "libraries": {"python": "3.11.7", "torch": "2.12.0", "deepspeed": None},
    "commits": {"benchspec": COMMIT, "working directory": None},
}


def now(**parts):
    """The record as it would be now: parts replaced, or some of their names."""
    new = {part: {**RECORD[part], **value} if isinstance(value, dict) else value for part, value in parts.items()}
    return {**RECORD, **new}


def words(record):
    return [str(each) for each in differences(RECORD, record)]


def test_two_equal_records_have_no_difference():
    assert differences(RECORD, now()) == []


def test_a_difference_is_said_in_words():
    assert words(now(processes=4)) == ["processes: 2, now 4"]
    assert words(now(machine={"accelerators": None})) == ["accelerators: 2 × NVIDIA H100 80GB HBM3, now none"]
    assert words(now(libraries={"torch": "2.13.0", "deepspeed": "0.19.8"})) == [
        "torch: 2.12.0, now 2.13.0",
        "deepspeed: none, now 0.19.8",
    ]


def test_commits_are_told_apart_and_so_are_changes_of_one():
    other = {**COMMIT, "id": "b" * 40}
    assert words(now(commits={"benchspec": other})) == ["code of benchspec: commit aaaaaaa, now commit bbbbbbb"]
    dirty = {**COMMIT, "dirty": True, "digest": "222222bb"}
    assert words(now(commits={"benchspec": dirty})) == [
        "code of benchspec: commit aaaaaaa, now commit aaaaaaa with changes (222222)"
    ]
    files = {"id": None, "dirty": None, "digest": "333333cc"}
    assert words(now(commits={"working directory": files})) == ["code of working directory: none, now files 333333"]


def test_a_package_that_is_no_longer_used_is_a_difference():
    libraries = {name: version for name, version in RECORD["libraries"].items() if name != "python"}
    assert words({**RECORD, "libraries": libraries}) == ["python: 3.11.7, now none"]


def test_data_are_compared_where_both_say_what_they_depend_on():
    assert words(now(data={"fingerprint": None, "identity": "sha256 1f9c2a"})) == []
    assert words(now(data={"fingerprint": None, "identity": None})) == []
    assert words(now(data={"fingerprint": None, "identity": "sha256 7d7d7d"})) == [
        "data: sha256 1f9c2a, now sha256 7d7d7d"
    ]


def test_text_of_a_plugin_is_made_harmless():
    (line,) = words(now(data={"identity": "\x1b]52;c;aGk=\a" + "x" * 100}))
    assert line.isprintable() and len(line) < 120


def test_a_result_without_a_record_cannot_be_as_it_would_be_now():
    (line,) = [str(each) for each in differences({}, now())]
    assert line == "what it depends on: not recorded, as in earlier versions of benchspec"


def test_differences_of_many_results_are_told_once_a_kind():
    newer = {"torch": "2.13.0"}
    older = {**RECORD, "libraries": {**RECORD["libraries"], "torch": "2.11.0"}}
    changed = [
        differences(RECORD, now(libraries=newer)),
        differences(older, now(libraries=newer)),
        differences(RECORD, now(libraries=newer, processes=4)),
    ]
    assert by_kind(changed) == [
        "torch: 2.12.0 or 2.11.0, now 2.13.0 (3 results)",
        "processes: 2, now 4 (1 result)",
    ]
