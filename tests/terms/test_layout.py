"""Files in a run directory are written atomically, by any number of writers and despite kills."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from benchspec.terms import layout
from benchspec.terms.layout import write_json

posix = pytest.mark.skipif(os.name != "posix", reason="needs signals, modes and links of POSIX")

KILLED_BEFORE_RENAMING = """
import os, signal, sys
from pathlib import Path
from benchspec.terms.layout import write_json

os.replace = os.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_json(Path(sys.argv[1]), {"version": "new"})
"""
WRITING_AGAIN_AND_AGAIN = """
import sys
from pathlib import Path
from benchspec.terms.layout import write_json

for _ in range(100):
    write_json(Path(sys.argv[1]), {"by": sys.argv[2], "rows": [sys.argv[2]] * 2000})
"""


def start(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])


@posix
def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path):
    file = tmp_path / "run.json"
    write_json(file, {"version": "old"})
    assert start(KILLED_BEFORE_RENAMING, file).wait(60) == -signal.SIGKILL
    assert json.loads(file.read_text()) == {"version": "old"}
    (draft,) = [path for path in tmp_path.iterdir() if path != file]
    assert json.loads(draft.read_text()) == {"version": "new"}, "the kill came after the draft was whole"
    write_json(file, {"version": "newer"})
    assert json.loads(file.read_text()) == {"version": "newer"}


def test_of_two_processes_that_write_at_once_one_wins_whole(tmp_path):
    file = tmp_path / "run.json"
    write_json(file, {"by": "nobody", "rows": ["nobody"] * 2000})
    writers = [start(WRITING_AGAIN_AND_AGAIN, file, name) for name in ("one", "two")]
    while any(writer.poll() is None for writer in writers):
        found = json.loads(file.read_text())
        assert found["rows"] == [found["by"]] * 2000
    assert [writer.returncode for writer in writers] == [0, 0]
    assert list(tmp_path.iterdir()) == [file], "no draft is left"


@posix
def test_a_link_that_somebody_planted_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "run.tmp").symlink_to(victim)
    write_json(tmp_path / "run.json", {"a": 1})
    assert victim.read_text() == "precious"

    # Even if the temporary file's random name is guessed, an existing file is never opened.
    monkeypatch.setattr(os, "urandom", bytes)
    draft = tmp_path / f".run.json.{'00' * 8}"
    draft.symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_json(tmp_path / "run.json", {"a": 2})
    assert victim.read_text() == "precious"
    assert draft.is_symlink(), "what somebody else made is left alone"
    assert json.loads((tmp_path / "run.json").read_text()) == {"a": 1}


@posix
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_follow_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_json(tmp_path / "run.json", {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == mode


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch, failing):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "run.json"
    write_json(file, {"version": "old"})
    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="No space left"):
        write_json(file, {"version": "new"})
    assert json.loads(file.read_text()) == {"version": "old"}
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_no_json_leaves_the_old_file(tmp_path):
    file = tmp_path / "run.json"
    write_json(file, {"version": "old"})
    with pytest.raises(TypeError):
        write_json(file, {"version": object()})
    assert json.loads(file.read_text()) == {"version": "old"}


@pytest.mark.parametrize("text", ["plain", "é ✓ 漢字", "\udcff", "a\\\udc80\n", "\ud800 alone", "\u2028", "\x00"])
def test_any_text_reads_back_as_it_was(tmp_path, text):
    file = tmp_path / "run.json"
    write_json(file, {text: [text]})
    assert json.loads(file.read_text(encoding="utf-8")) == {text: [text]}


def test_text_can_be_read_by_people(tmp_path):
    write_json(tmp_path / "run.json", {"name": "Größe"})
    assert "Größe" in (tmp_path / "run.json").read_text(encoding="utf-8")


def test_an_attempt_knows_its_run_directory():
    attempt = layout.attempts_folder(Path("runs/demo"), "sizes", "opt-tiny-1f9c2a") / "3"
    assert attempt.as_posix() == "runs/demo/cases/sizes/opt-tiny-1f9c2a/3"
    assert layout.run_dir(attempt) == Path("runs/demo")
    assert layout.rank_file(7) == "rank-7.jsonl"
