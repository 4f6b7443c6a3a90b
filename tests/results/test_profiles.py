"""Where the time of profiled steps went, read again."""

from __future__ import annotations

import json
import os

import pytest

from benchspec.results import profiles


def write(run, text):
    folder = run / "cases/sizes/a/profile"
    folder.mkdir(parents=True)
    (folder / "profile-0.json").write_text(text)


def test_a_profile_is_read(tmp_path):
    operations = [{"name": "mm", "calls": 3, "seconds": 0.25}]
    write(tmp_path, json.dumps({"seconds": 1.5, "operations": operations}))
    assert profiles.read(tmp_path, "sizes", "a") == (1.5, [("mm", 3, 0.25)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"seconds": NaN, "operations": []}',
        '{"seconds": -1, "operations": []}',
        '{"seconds": 1, "operations": [1]}',
        '{"seconds": 1, "operations": [{"name": "mm", "calls": "x", "seconds": 1}]}',
        '{"seconds": 1, "operations": [{"name": "mm", "calls": 1e300, "seconds": 1}]}',
    ],
)
def test_what_is_no_profile_is_none(tmp_path, text):
    write(tmp_path, text)
    assert profiles.read(tmp_path, "sizes", "a") is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_nobody_waits_for_what_is_no_file(tmp_path):
    write(tmp_path, "")
    file = tmp_path / "cases/sizes/a/profile/profile-0.json"
    file.unlink()
    os.mkfifo(file)
    assert profiles.read(tmp_path, "sizes", "a") is None


def test_a_case_without_a_profile_has_none(tmp_path):
    assert profiles.read(tmp_path, "sizes", "a") is None
