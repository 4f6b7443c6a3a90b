"""The names in a run directory, and how its JSON files are written.

RUN       what was asked for, and on which machine
JOURNAL   one line a finished case
LOCK      held by the benchspec that runs in the directory
DATA      which token arrays each data set led to
CASES     `cases/<experiment>/<case-id>/<attempt>`: the evidence of each attempt at each case
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

RUN = "run.json"
JOURNAL = "results.jsonl"
LOCK = ".lock"
CASES = "cases"
DATA = "data"
#: the names at the top of a run directory that no report may take
RESERVED = (RUN, JOURNAL, CASES, DATA, LOCK)

#: in an attempt's folder: the resolved case, which each rank reads
CASE = "case.json"
#: the id of the process group, by which a later benchspec finds it
HANDLE = "handle"
#: what the processes wrote to stdout and stderr
STDOUT = "stdout.log"
STDERR = "stderr.log"


def rank_file(rank: int) -> str:
    """The name, in an attempt's folder, of the file with one rank's events."""
    return f"rank-{rank}.jsonl"


def attempt_folder(run: Path, experiment: str, case_id: str) -> Path:
    """The folder with the attempts at a case, each in a folder whose name is its number: 1, 2, …"""
    return run / CASES / experiment / case_id


def run_dir(attempt: Path) -> Path:
    """The run directory that an attempt's own folder lies in."""
    return attempt.parents[3]


def write_json(file: Path, value: Any) -> None:
    """Write a JSON file whole or not at all: readers, and a run that is killed, find the old file or the new one.

    The text first goes to a draft beside the file. The draft's name is random, so that two writers, even on two hosts
    that share the folder, never have the same; and it is created exclusively, so that it follows no link.
    """
    text = _encoded(value)
    draft = file.with_name(f".{file.name}.{os.urandom(8).hex()}")
    # The permissions follow the umask.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        _write(descriptor, text)
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(file.parent)


def _encoded(value: Any) -> bytes:
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    # Of all characters, UTF-8 refuses lone surrogates alone, and Python's way to escape them, \udc80, is JSON's too.
    return text.encode("utf-8", "backslashreplace")


def _write(descriptor: int, content: bytes) -> None:
    """Write the whole content down to the disk, and close the file."""
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename outlast a power failure, on the file systems that offer this for a folder."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
