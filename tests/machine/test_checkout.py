"""The commit of a checkout, what differs from it, and a package's own files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from benchspec.machine import checkout


def git(folder: Path, *arguments: str) -> str:
    # A hook or a rebase that runs the tests would point git at its own repository.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, env=clean, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit, of a package `acme` and a picture."""
    folder = tmp_path / "project"
    (folder / "acme").mkdir(parents=True)
    (folder / "acme" / "__init__.py").write_text("one = 1\n")
    (folder / "picture.bin").write_bytes(bytes(range(256)))
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


def test_a_checkout_has_its_commit(repository):
    git(repository, "tag", "-a", "v1", "-m", "a tag does not replace the commit")
    commit = {"id": git(repository, "rev-parse", "HEAD"), "dirty": False, "digest": None}
    assert checkout.commit_of_folder(repository) == commit
    assert checkout.commit_of_folder(repository / "acme") == commit


@pytest.mark.parametrize("file", ["acme/__init__.py", "picture.bin"])
def test_changes_of_tracked_files_are_told_apart(repository, file):
    def changed(content):
        (repository / file).write_bytes(content)
        return checkout.commit_of_folder(repository)

    one, two = changed(b"one\0"), changed(b"two\0")
    assert one["dirty"] and two["dirty"] and one["id"] == two["id"]
    assert one["digest"] != two["digest"]
    assert changed(b"one\0") == one


def test_changes_that_are_staged_count_and_files_that_git_does_not_track_do_not(repository):
    (repository / "notes.txt").write_text("not tracked")
    assert not checkout.commit_of_folder(repository)["dirty"]
    git(repository, "add", "notes.txt")
    assert checkout.commit_of_folder(repository)["dirty"]


def test_a_folder_can_be_left_out_as_a_run_writes_to_it(repository):
    run = repository / "runs" / "[demo]"
    run.mkdir(parents=True)
    (run / "results.jsonl").write_text("one line\n")
    git(repository, "add", "-f", ".")
    git(repository, "commit", "-m", "with results")
    (run / "results.jsonl").write_text("two lines\n")
    assert checkout.commit_of_folder(repository)["dirty"]
    assert not checkout.commit_of_folder(repository, [run, repository.parent])["dirty"]


def test_a_repository_of_a_hook_is_not_taken_for_the_folders(repository, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert checkout.commit_of_folder(repository)["id"] == git(repository, "rev-parse", "HEAD")


def test_where_there_is_no_commit_there_is_none(tmp_path, monkeypatch):
    assert checkout.commit_of_folder(tmp_path) is None
    git(tmp_path, "init")
    assert checkout.commit_of_folder(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert checkout.commit_of_folder(tmp_path) is None


def test_a_repository_that_answers_too_late_may_have_changed_or_not(repository, monkeypatch):
    monkeypatch.setattr(checkout, "_NOTHING", "the hash of something else")
    slow = repository.parent / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text('#!/bin/sh\ncase "$*" in *diff*) exec sleep 5;; esac\nPATH="$REAL" exec git "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("REAL", os.environ["PATH"])
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(checkout, "LIMIT", 0.3)
    found = checkout.commit_of_folder(repository)
    assert found == {"id": found["id"], "dirty": None, "digest": None}


def test_no_program_that_a_repository_names_is_run(repository, tmp_path):
    for key in ("diff.external", "core.fsmonitor", "diff.acme.textconv"):
        git(repository, "config", key, f"touch {tmp_path / 'ran'}; true")
    (repository / ".gitattributes").write_text("*.py diff=acme\n")
    (repository / "acme" / "__init__.py").write_text("two = 2\n")
    assert checkout.commit_of_folder(repository)["dirty"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["acme", "ac=me"])
@pytest.mark.parametrize("key", ["clean", "process"])
def test_no_program_that_a_repository_would_convert_files_with_is_run(repository, tmp_path, name, key):
    git(repository, "config", "--file", str(tmp_path / "more"), f"filter.{name}.{key}", f"touch {tmp_path / 'ran'}")
    git(repository, "config", "include.path", str(tmp_path / "more"))
    git(repository, "config", f"filter.{name}.required", "true")
    (repository / ".git" / "info" / "attributes").write_text(f"*.py filter={name}\n")
    (repository / "acme" / "__init__.py").write_text("two = 2\n")
    assert checkout.commit_of_folder(repository)["dirty"]
    assert not (tmp_path / "ran").exists()


def test_a_filter_of_the_users_own_is_run(repository, tmp_path, monkeypatch):
    git(repository, "config", "--file", str(tmp_path / "own"), "filter.acme.clean", "sed s/two/one/")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "own"))
    (repository / ".git" / "info" / "attributes").write_text("*.py filter=acme\n")
    (repository / "acme" / "__init__.py").write_text("two = 1\n")
    assert not checkout.commit_of_folder(repository)["dirty"]


def test_a_missing_object_is_not_fetched_even_if_the_repository_allows_it(repository, tmp_path, monkeypatch):
    blob = git(repository, "rev-parse", "HEAD:acme/__init__.py")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    fetch = tmp_path / "fetch"
    fetch.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    fetch.chmod(0o755)
    for key, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialclone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{fetch}",
        "protocol.ext.allow": "always",
    }.items():
        git(repository, "config", key, value)
    (repository / "acme" / "__init__.py").write_text("two = 2\n")
    # Older versions of git do not know the variable that forbids it as such.
    environment = {key: value for key, value in checkout._environment().items() if key != "GIT_NO_LAZY_FETCH"}
    monkeypatch.setattr(checkout, "_environment", lambda: environment)
    assert checkout.commit_of_folder(repository)["dirty"] is None
    assert not (tmp_path / "ran").exists()


def test_where_the_repository_is_the_run_directory_all_of_it_counts(repository):
    (repository / "picture.bin").write_bytes(b"")
    assert checkout.commit_of_folder(repository, [repository])["dirty"]


def test_what_is_named_like_a_module_and_cannot_be_read_does_not_count(tmp_path):
    package = tmp_path / "acme"
    (package / "folder.py").mkdir(parents=True)
    (package / ".#editing.py").symlink_to("ada@example.org:1")
    os.mkfifo(package / "pipe.py")
    assert checkout.with_code(None, [package])["digest"]


def test_a_package_in_its_repository_has_a_commit(repository):
    assert checkout.commit_of_package(repository / "acme") == checkout.commit_of_folder(repository)


def test_an_installation_inside_another_repository_has_no_commit(repository):
    installed = repository / ".venv" / "site-packages" / "other"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert checkout.commit_of_package(installed) is None


def test_a_package_is_known_by_its_files_even_without_a_commit(tmp_path):
    module, package = tmp_path / "acme.py", tmp_path / "other"
    package.mkdir()
    for file in (module, package / "inner.py"):
        file.write_text("one")
    before = checkout.with_code(None, [module, package])
    assert (before["id"], before["dirty"]) == (None, None)
    assert checkout.with_code(None, [module, package]) == before
    (package / "inner.py").write_text("two")
    assert checkout.with_code(None, [module, package])["digest"] != before["digest"]


def test_a_packages_hash_is_also_of_what_differs_from_its_commit(repository):
    package = repository / "acme"
    before = checkout.with_code(checkout.commit_of_package(package), [package])
    (repository / "picture.bin").write_bytes(b"")
    after = checkout.with_code(checkout.commit_of_package(package), [package])
    assert (before["dirty"], after["dirty"]) == (False, True)
    assert before["digest"] != after["digest"]
