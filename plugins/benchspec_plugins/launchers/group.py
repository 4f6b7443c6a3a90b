"""The process group of a case: its supervisor, torchrun and the ranks, started, polled and stopped as one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from benchspec import Handle
from benchspec.machine.process import MARK
from benchspec.terms.errors import RunError
from benchspec.terms.layout import STDERR, STDOUT
from benchspec_plugins.launchers import supervisor
from benchspec_plugins.launchers.commands import LOG, Host, environment, supervised, torchrun

#: seconds in which a supervisor ends its case, before everything that bears the case's mark is killed
STOP_TIMEOUT = 10.0
#: seconds after which a process that survives SIGKILL counts as stuck in the kernel
KILL_TIMEOUT = 60.0


def start(case_dir: Path, host: Host) -> Group:
    """Start torchrun for the case in a folder; the ranks' output is appended to stdout.log and stderr.log there."""
    for name in (STDOUT, STDERR):
        (case_dir / name).touch()
    with (case_dir / LOG).open("ab") as log:
        return Group(_spawn(case_dir, host, log), case_dir)


def deaths(case_dir: Path) -> dict[int, int]:
    """The ranks that ended by themselves and their exit codes, on each host the first to end first.

    After the first, SIGTERM is how torchrun ends the others.
    """
    files = sorted(case_dir.glob(f"{supervisor.EXITS}*"))
    ends = [end for file in files for end in _ends(file.read_text(errors="replace").splitlines())]
    return {rank: code for number, (rank, code) in enumerate(ends) if not number or code != -signal.SIGTERM}


def _ends(lines: list[str]) -> list[tuple[int, int]]:
    """(rank, exit code) in the lines that one host has written."""
    if supervisor.STOPPED in lines:
        lines = lines[: lines.index(supervisor.STOPPED)]
    # A full disk cuts off a line.
    return [(int(found[1]), int(found[2])) for line in lines if (found := _EXIT.fullmatch(line))]


_EXIT = re.compile(r"([0-9]{1,9}) (-?[0-9]{1,9})", re.ASCII)


class Group(Handle):
    """A case's processes, started by this process."""

    def __init__(self, supervising: subprocess.Popen[bytes], case_dir: Path):
        self._supervisor = supervising
        self._case_dir = case_dir
        self._ended = self._stopping = False
        self.id = str(case_dir)

    def poll(self) -> int | None:
        """torchrun's exit code; by then no process of the case is left."""
        code = self._supervisor.poll()
        if code is not None and not self._ended:
            self._ended = True
            copy_own_log(self._case_dir)
            if not self._stopping:
                explain_supervisor(self._case_dir, code)
        return code

    def stop(self) -> None:
        self._stopping = True
        if self.poll() is None:
            self._supervisor.terminate()
            # It may have been stopped.
            self._supervisor.send_signal(signal.SIGCONT)
            with suppress(subprocess.TimeoutExpired):
                self._supervisor.wait(STOP_TIMEOUT)
        # The supervisor may have been killed; and no other system than Linux tells it of orphans.
        end_marked(self._case_dir)


class Left(Handle):
    """What is left of the processes of a case whose benchspec has gone: its supervisor is ending them."""

    def __init__(self, id: str):
        self.id = id

    def poll(self) -> int:
        """-1: the exit code is not known."""
        return -1

    def stop(self) -> None:
        end = time.monotonic() + STOP_TIMEOUT
        while _members(Path(self.id)) and time.monotonic() < end:
            time.sleep(0.05)
        end_marked(Path(self.id))


def end_marked(case_dir: Path) -> None:
    """Kill every process that bears the case's mark."""
    end = time.monotonic() + KILL_TIMEOUT
    while members := _members(case_dir):
        if time.monotonic() > end:
            pids = ", ".join(str(process.pid) for process in members)
            raise RunError(f"these processes cannot be killed: {pids}; is a driver or a file system hung?")
        for process in members:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(members, timeout=1)


def copy_own_log(case_dir: Path) -> None:
    """Copy the log of whatever starts the ranks to stderr.log if none wrote there: it is then the only explanation."""
    own, log = case_dir / LOG, case_dir / STDERR
    if own.exists() and (not log.exists() or not log.stat().st_size):
        with suppress(OSError), log.open("a") as file:
            file.write(own.read_text(errors="replace"))


def exit_text(code: int) -> str:
    """What an exit code says of a process, in words."""
    return f"was killed (signal {-code})" if code < 0 else f"ended with exit code {code}"


def explain_supervisor(case_dir: Path, code: int) -> None:
    """Add to a case's log that its supervisor was killed, or told to end: nothing else says why the ranks ended."""
    if code == supervisor.TOLD_TO_END:
        code = -signal.SIGTERM
    if code < 0:
        explain(case_dir, f"the process that supervises the case {exit_text(code)}")


def explain(case_dir: Path, text: str) -> None:
    """Add a line to a case's log."""
    with suppress(OSError), (case_dir / STDERR).open("a") as log:
        log.write(f"\n{text}\n")


def _spawn(case_dir: Path, host: Host, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*supervised("group", str(os.getpid()), str(case_dir)), *torchrun(case_dir, host)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment(case_dir, host),
        # Ctrl-C reaches only benchspec, which then stops the group.
        start_new_session=True,
    )


def _members(case_dir: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _mark(process) == str(case_dir)]


def _mark(process: psutil.Process) -> str | None:
    try:
        dead = process.status() == psutil.STATUS_ZOMBIE
        return None if dead else process.environ().get(MARK)
    except psutil.Error:
        return None
