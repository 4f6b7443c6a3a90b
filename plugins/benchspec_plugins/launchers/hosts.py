"""A case on several hosts: torchrun on this one and, over ssh or by hand, on the others."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from benchspec import Handle
from benchspec.machine.process import MARK
from benchspec.terms.layout import rank_files
from benchspec_plugins.launchers import group
from benchspec_plugins.launchers.commands import Host, settings, supervised, torchrun
from benchspec_plugins.launchers.supervisor import NODE

#: ssh asks for no password that nobody types, and notices a host that does not answer
SSH = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=20", "--")
#: seconds in which another host ends its part of a case
STOP_TIMEOUT = 20.0
#: seconds in which somebody runs the printed commands
PATIENCE = 24 * 3600
#: variables that other hosts are given as they are here, by the beginning of their names; no secret is among them
PASSED = (
    *("BENCHSPEC_CACHE", "CUDA_", "GLOO_", "HF_DATASETS_CACHE", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE"),
    *("LD_LIBRARY_PATH", "NCCL_", "OMP_", "PYTHONPATH", "TORCH_", "TRANSFORMERS_OFFLINE"),
)


def command_for(case_dir: Path, host: Host) -> str:
    """The shell command that runs a host's part of a case there, for as long as its standard input is open."""
    given = {name: value for name, value in os.environ.items() if name.startswith(PASSED)}
    variables = [f"{name}={value}" for name, value in {**given, **settings(case_dir, host)}.items()]
    command = ["env", *variables, *supervised("host", str(case_dir)), *torchrun(case_dir, host)]
    return f"cd {shlex.quote(str(Path.cwd()))} && exec {shlex.join(command)}"


def start(case_dir: Path, places: Sequence[Host], names: Sequence[str]) -> Handle:
    """Start a case on this host, the first of `places`, and on the others.

    `names` are what ssh calls the others; without names, the command for each of them is printed to stderr.
    """
    if not names:
        places = [place._replace(patience=PATIENCE) for place in places]
    with ExitStack() as failed:
        here = group.start(case_dir, places[0])
        failed.callback(here.stop)
        others = [_ssh(case_dir, name, place) for name, place in zip(names, places[1:], strict=False)]
        if not names:
            _print_commands(case_dir, places[1:])
        failed.pop_all()
    return Hosts(here, others, dict(enumerate(names, start=1)), case_dir)


def _ssh(case_dir: Path, name: str, place: Host) -> subprocess.Popen[bytes]:
    command = command_for(case_dir, place)
    with (case_dir / f"ssh-{place.node}.log").open("ab") as log:
        return subprocess.Popen(
            # Supervised, so that it does not outlive benchspec, and in a file of exits of its own.
            [*supervised("group", str(os.getpid()), str(case_dir)), shutil.which("ssh") or "ssh", *SSH, name, command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, MARK: str(case_dir), NODE: f"ssh-{place.node}"},
            start_new_session=True,
        )


def _print_commands(case_dir: Path, places: Sequence[Host]) -> None:
    for place in places:
        which = f"the other host {place.node} of {place.nodes - 1}"
        sys.stderr.write(f"on {which}, run:\n  {command_for(case_dir, place)}\n")
    sys.stderr.flush()


class Hosts(Handle):
    """The processes of a case on this host and others."""

    def __init__(
        self, here: group.Group, others: Sequence[subprocess.Popen[bytes]], names: dict[int, str], case_dir: Path
    ):
        self._here = here
        self._others = others
        self._names = names
        self._case_dir = case_dir
        self.id = here.id

    def poll(self) -> int | None:
        """The exit code of this host's torchrun, or of the first other host whose part failed before."""
        code = self._here.poll()
        if code is None:
            code = next((found for other in self._others if (found := other.poll())), None)
            if code is not None:
                self._explain()
        return code

    def waiting(self) -> bool:
        """Whether no rank has begun yet, because somebody has yet to run the printed commands."""
        return not self._others and not rank_files(self._case_dir)

    def stop(self) -> None:
        for other in self._others:
            # The other host's supervisor ends its part when this end of the connection closes.
            with suppress(OSError):
                other.stdin.close()  # type: ignore[union-attr]
        self._here.stop()
        for other in self._others:
            with suppress(subprocess.TimeoutExpired):
                other.wait(STOP_TIMEOUT)
            other.kill()
            other.wait()

    def _explain(self) -> None:
        """Add what ssh has said to the case's log, where a host could not be reached."""
        for node, name in self._names.items():
            said = self._case_dir / f"ssh-{node}.log"
            if said.is_file() and (text := said.read_text(errors="replace").strip()):
                group.explain(self._case_dir, f"host {name}: {text}")
