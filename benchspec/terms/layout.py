"""The names in a run directory, and how its JSON files are written.

RUN       the resolved spec, the machine, versions
JOURNAL   one line per finished case
LOCK      held by the benchspec process that runs in the directory
DATA      which cached token arrays each data set uses
CASES     `cases/<experiment>/<case-id>/<attempt>`: the files of each attempt at each case
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os.path import normpath
from pathlib import Path
from typing import Any, BinaryIO

RUN = "run.json"
JOURNAL = "results.jsonl"
LOCK = ".lock"
CASES = "cases"
DATA = "data"
#: the file of a report, but for its suffix
REPORT = "report"
#: the names at the top of a run directory that no report may take
RESERVED = (RUN, JOURNAL, CASES, DATA, LOCK)

#: in an attempt's folder: the resolved case, which each rank reads
CASE = "case.json"
#: which hardware the spec names, where a case runs on another machine, and what that machine says it is
HARDWARE, MACHINE = "hardware.json", "machine.json"
#: what the attempt's result depends on beside the case
RECORD = "record.json"
#: the attempt's folder, a NUL, and the id of the process group, so that a later benchspec can find it
HANDLE = "handle"
#: the kernel's count of out-of-memory kills when the case started
KERNEL_KILLS = "oom-kills"
#: the folder with what was trained, as `save_pretrained` writes it
CHECKPOINT = "final"
#: beside the attempts at a case: the folder of a few more steps under a profiler
PROFILE = "profile"
#: the same until it has succeeded, or because it has not
NEW_PROFILE = "profile.new"
#: what the ranks wrote to stdout and stderr
STDOUT = "stdout.log"
STDERR = "stderr.log"


def rank_file(rank: int) -> str:
    """The name, in an attempt's folder, of the file with one rank's events."""
    return f"rank-{rank}.jsonl"


def pulse_file(rank: int) -> str:
    """The name, in an attempt's folder, of the file in which a rank says that it lives, and where it is."""
    return f"pulse-{rank}.json"


def stacks_file(rank: int) -> str:
    """The name, in an attempt's folder, of the file with the stacks of a rank whose case stood still."""
    return f"stacks-{rank}.txt"


def trace_file(rank: int) -> str:
    """The name, in a profile's folder, of a rank's trace, for Perfetto or chrome://tracing."""
    return f"trace-{rank}.json.gz"


def memory_file(rank: int) -> str:
    """The name, in a profile's folder, of the history of a rank's accelerator memory, for pytorch.org/memory_viz."""
    return f"memory-{rank}.pickle"


def profile_file(rank: int) -> str:
    """The name, in a profile's folder, of the file that says where a rank's time went."""
    return f"profile-{rank}.json"


def rank_files(attempt: Path) -> dict[int, Path]:
    """What is at the place of each rank's file in an attempt's folder, by rank."""
    found = {file: _RANK_FILE.fullmatch(file.name) for file in attempt.glob("rank-*.jsonl")}
    return dict(sorted((int(match[1]), file) for file, match in found.items() if match))


def no_rank_files(attempt: Path) -> list[str]:
    """The names in an attempt's folder that look like a rank's file and are none, such as `rank-x.jsonl`."""
    return sorted(file.name for file in attempt.glob("rank-*.jsonl") if not _RANK_FILE.fullmatch(file.name))


_RANK_FILE = re.compile(r"rank-(0|[1-9][0-9]{0,8})\.jsonl", re.ASCII)


def attempts_folder(run: Path, experiment: str, case_id: str) -> Path:
    """The folder of a case's attempts; each attempt is a subfolder named by its number: 1, 2, …"""
    return run / CASES / experiment / case_id


def default_run_dir(name: str) -> Path:
    """Where a benchmark's run directory is, unless `--out` says otherwise."""
    return Path("runs") / name


def run_dir(attempt: Path) -> Path:
    """The run directory of an attempt's folder."""
    return attempt.parents[3]


def report_problem(path: str) -> str | None:
    """What is wrong with the path of a report or of its files in a run directory; None where it may be written."""
    parts = Path(normpath(path)).parts or (".",)
    if "\0" in path or Path(path).is_absolute() or parts[0] in ("..", "."):
        return f"'{path}' is not a file inside the run directory"
    if parts[0].casefold() in RESERVED:
        return f"'{path}' is not free: {', '.join(RESERVED)} are benchspec's own"
    if any(len(part) > 200 for part in parts):
        return f"'{path[:60]}…' has a name of more than 200 characters"
    return None


def write_json(file: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    write_whole(file, _encoded(value))


def write_whole(file: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file atomically; see `writing_whole`."""
    with writing_whole(file, mode) as stream:
        stream.write(content)


@contextmanager
def writing_whole(file: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """Write a file atomically: at any time, even after a kill, readers find either the old file or the new one.

    The content is first written to a temporary file in the same folder. Its name is random, so that two writers, even
    on two hosts that share the folder, never use the same one; it is created exclusively, so that it follows no link.
    `mode` are its permissions; by default they follow the umask.
    """
    temporary = file.with_name(f".{file.name}.{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if mode is not None:
                os.fchmod(descriptor, mode)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(file.parent)


def _encoded(value: Any) -> bytes:
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    # UTF-8 cannot encode lone surrogates; Python then writes \udc80, which is also how JSON escapes them.
    return text.encode("utf-8", "backslashreplace")


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power failure, on file systems that can sync a folder."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
