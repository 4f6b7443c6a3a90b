"""Phase `query`: what was saved is loaded again, in a fresh process, as its users would load it, and asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from benchspec.machine.process import PARENT
from benchspec.results import events
from benchspec.terms.errors import BenchspecError
from benchspec.terms.layout import CHECKPOINT, rank_file

if TYPE_CHECKING:
    from benchspec.worker.rank import Rank

#: the beginnings of what launchers and libraries tell a rank; the fresh process is none
_OF_RANKS = (
    *("RANK", "WORLD_SIZE", "LOCAL_", "GROUP_", "ROLE_", "MASTER_", "TORCHELASTIC_", "TORCH_NCCL_", "NCCL_ASYNC_"),
    *("ACCELERATE_", "FSDP_"),
)


class AlreadyReported(Exception):  # noqa: N818
    """The fresh process has failed and has reported why."""


def ask(job: Rank) -> None:
    """Have the checkpoint in `final` asked; it is removed afterwards unless the spec keeps it."""
    folder = job.folder / CHECKPOINT
    with job.phase("query"):
        if not folder.is_dir():
            raise BenchspecError(
                f"the recipe '{job.case.recipe['name']}' has saved no checkpoint in '{CHECKPOINT}', so there is "
                "nothing to ask; remove `query`, or choose another recipe"
            )
        command = [sys.executable, "-m", "benchspec.worker.answering", str(job.folder)]
        ended = subprocess.run(command, env=_environment(), check=False)
        if ended.returncode == 1 and _has_reported(job):
            raise AlreadyReported
        if ended.returncode:
            raise RuntimeError(f"the process that loads and asks the model {_ending(ended.returncode)}")
    if not (job.case.train["save"] or {}).get("final"):
        shutil.rmtree(folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OF_RANKS)}
    return {**kept, PARENT: str(os.getpid())}


def _has_reported(job: Rank) -> bool:
    return any(event["event"] == "failure" for event in events.read(job.folder / rank_file(job.rank)))


def _ending(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
