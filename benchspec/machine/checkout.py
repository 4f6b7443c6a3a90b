"""The source code that runs: a package's files, and the git commit of a checkout with what differs from it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

#: seconds that one git command may take; on a network file system, looking at every file of a repository can be slow
LIMIT = 5.0


def commit_of_folder(folder: Path, without: Iterable[Path] = ()) -> dict[str, Any] | None:
    """The commit that a folder is checked out from, whether tracked files differ from it, and a hash of how they do.

    Files in the folders `without` do not count. None outside of a repository, or if git is missing.
    """
    found = (_answer(folder, "rev-parse", "--show-toplevel", "HEAD") or "").splitlines()
    if len(found) != 2:
        return None
    top, commit = Path(found[0]), found[1]
    difference = _difference(top, _pathspecs(top, without))
    return {
        "id": commit,
        "dirty": None if difference is None else difference != _NOTHING,
        "digest": None if difference == _NOTHING else difference,
    }


def commit_of_package(location: Path) -> dict[str, Any] | None:
    """The same of a package's folder, or of a module; None if the repository around it does not track it.

    A virtual environment often lies inside somebody's repository, whose commit says nothing about the package.
    """
    tracked = _answer(location.parent, "ls-files", "--error-unmatch", "--", location.name)
    return None if tracked is None else commit_of_folder(location.parent)


def with_code(commit: Mapping[str, Any] | None, locations: Iterable[Path]) -> dict[str, Any]:
    """A package's commit, its hash extended to the Python files of the package's folders and modules.

    So changes are seen even where there is no commit, or where git does not track a file yet.
    """
    known = commit or {"id": None, "dirty": None, "digest": None}
    digest = hashlib.sha256(str(known["digest"]).encode())
    for location in locations:
        for file in sorted(location.rglob("*.py")) if location.is_dir() else [location]:
            digest.update(f"\n{file.relative_to(location.parent)}\n".encode("utf-8", "surrogateescape"))
            # An editor's lock on a file is a link to nothing.
            with suppress(OSError):
                digest.update(file.read_bytes() if file.is_file() else b"")
    return {**known, "digest": digest.hexdigest()[:16]}


def _pathspecs(top: Path, without: Iterable[Path]) -> list[str]:
    """Git's arguments for a whole repository without some folders of it."""
    folders = [folder.resolve() for folder in without]
    inside = [folder.relative_to(top) for folder in folders if folder.is_relative_to(top) and folder != top]
    return [":(top)", *(f":(top,exclude,literal){folder}" for folder in inside)]


def _difference(top: Path, pathspecs: Sequence[str]) -> str | None:
    """A hash of how tracked files differ from the commit: `_NOTHING` where they do not; None if git does not answer."""
    # --full-index names the content of each file, so that binary files need not be compared.
    plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--ignore-submodules=dirty")
    command = _command(top, "diff", "HEAD", *plain, "--full-index", "--unified=0", "--", *pathspecs)
    settings = _no_filters(top)
    if settings is None:
        return None
    environment = {**_environment(), **settings}
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
            timer = Timer(LIMIT, process.kill)
            timer.start()
            digest = hashlib.file_digest(process.stdout, "sha256")  # type: ignore[arg-type]
            code = process.wait()
            timer.cancel()
    except OSError:
        return None
    return digest.hexdigest()[:16] if code == 0 else None


_NOTHING = hashlib.sha256().hexdigest()[:16]


def _no_filters(top: Path) -> dict[str, str] | None:
    """Environment variables that take the programs out of a repository's configuration that convert its files.

    git would run them to compare a file. Those of the user's own configuration, such as git-lfs, may run. None if git
    does not answer.
    """
    found = _answer(top, "config", "--list", "--name-only", "--show-scope", "--null")
    if found is None:
        return None
    names = found.split("\0")
    own = [name for scope, name in zip(names[::2], names[1::2], strict=False) if scope in ("local", "worktree")]
    filters = sorted({name.rpartition(".")[0] for name in own if name.startswith("filter.")})
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    # Not as `-c NAME=VALUE`: a filter's name may hold a `=`.
    settings = [(f"{each}.{key}", value) for each in filters for key, value in _NO_FILTER]
    return {
        "GIT_CONFIG_COUNT": str(first + len(settings)),
        **{f"GIT_CONFIG_KEY_{number}": name for number, (name, _) in enumerate(settings, first)},
        **{f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(settings, first)},
    }


_NO_FILTER = (("clean", ""), ("process", ""), ("required", "false"))


def _answer(folder: Path, *arguments: str) -> str | None:
    """What a git command prints; None if it fails."""
    try:
        done = subprocess.run(
            _command(folder, *arguments), capture_output=True, check=True, timeout=LIMIT, env=_environment()
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return os.fsdecode(done.stdout)


def _command(folder: Path, *arguments: str) -> list[str]:
    # Neither a file-system monitor is started nor a missing object fetched over the network.
    return ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments]


def _environment() -> dict[str, str]:
    """Without the variables by which git's own hooks name a repository: they would hide the folder's."""
    kept = {name: value for name, value in os.environ.items() if name not in _REPOSITORY}
    # An empty list of protocols also holds where a repository's configuration allows one.
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "", "LC_ALL": "C"}


_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
