"""torchrun and its workers as one group: started, watched, and ended so that no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from benchspec import Handle
from benchspec.machine import PARENT, die_with
from benchspec.terms.errors import RunError
from benchspec.terms.layout import STDERR, STDOUT

#: marks every process of a group, whoever its parent is by now
MARK = "BENCHSPEC_CASE_DIR"
#: in the case's folder, what torchrun itself writes; its workers' output goes to the two logs of the case
LOG = "torchrun.log"
#: starts a worker with its output in the logs of the case's folder, which is the argument
_WORKER = f'exec "$0" -m benchspec.worker "$1" >>"$1/{STDOUT}" 2>>"$1/{STDERR}"'
#: seconds that torchrun gets to end its workers before they are killed
PATIENCE = 5.0
#: seconds after which a process that SIGKILL does not end is taken to be stuck in the kernel
LAST_PATIENCE = 60.0


def start(case_dir: Path, processes: int) -> Group:
    """Start torchrun for the case in a folder, its output appended to stdout.log and stderr.log there."""
    for name in (STDOUT, STDERR):
        (case_dir / name).touch()
    with (case_dir / LOG).open("ab") as log:
        return Group(_spawn(case_dir, processes, log), case_dir)


def own_log(case_dir: Path) -> str:
    """What torchrun itself wrote."""
    file = case_dir / LOG
    return file.read_text(errors="replace") if file.exists() else ""


def attach(id: str) -> Group:
    """The group that an earlier process started."""
    pid, created, case_dir = id.split(" ", 2)
    return Group(_find(int(pid), created), Path(case_dir))


class Group(Handle):
    """torchrun and its workers."""

    def __init__(self, leader: psutil.Process | None, case_dir: Path):
        self._leader = leader
        self._case_dir = case_dir
        self._code: int | None = None
        self.id = f"{leader.pid} {leader.create_time()} {case_dir}" if leader else f"0 0 {case_dir}"

    def poll(self) -> int | None:
        """The exit code; -1 where an earlier process started the group, so that its code cannot be known."""
        if self._code is None:
            self._code = self._exit_code()
            if self._code is not None:
                _explain(self._case_dir)
        return self._code

    def _exit_code(self) -> int | None:
        if self._leader is None or not self._leader.is_running():
            return -1
        try:
            code = self._leader.wait(timeout=0)
        except psutil.TimeoutExpired:
            return None
        return -1 if code is None else code

    def stop(self) -> None:
        if self._leader and self.poll() is None:
            with suppress(psutil.NoSuchProcess):
                self._leader.send_signal(signal.SIGTERM)
            self._wait()
        # torchrun may be gone, or killed, with its workers alive: each is a session of its own.
        end = time.monotonic() + LAST_PATIENCE
        while members := _members(self._case_dir):
            if time.monotonic() > end:
                pids = ", ".join(str(process.pid) for process in members)
                raise RunError(f"these processes cannot be killed: {pids}; is a driver or a file system hung?")
            for process in members:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(members, timeout=1)

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.05)


def _explain(case_dir: Path) -> None:
    """Where no rank wrote anything on stderr, what torchrun wrote is the only explanation: it joins their log."""
    log = case_dir / STDERR
    if not log.exists() or not log.stat().st_size:
        with suppress(OSError), log.open("a") as file:
            file.write(own_log(case_dir))


def _spawn(case_dir: Path, processes: int, log: IO[bytes]) -> psutil.Process:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*torchrun, "--no-python", "/bin/sh", "-c", _WORKER, sys.executable, str(case_dir)]
    environment = _environment(case_dir, processes)
    parent = os.getpid()

    def in_the_child() -> None:
        # Killing benchspec leaves nothing behind: torchrun goes with it, and with torchrun its workers.
        die_with(parent)
        os.environ.update(environment)
        os.environ[PARENT] = str(os.getpid())

    # A session of its own: Ctrl-C reaches benchspec alone, which then ends the group in order.
    return psutil.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=in_the_child,
    )


def _environment(case_dir: Path, processes: int) -> dict[str, str]:
    # torchrun's own default is one thread a process, which leaves a CPU's other cores idle.
    threads = max(1, _cores() // processes)
    return {"OMP_NUM_THREADS": str(threads), **os.environ, MARK: str(case_dir), "PYTHONUNBUFFERED": "1"}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _find(pid: int, created: str) -> psutil.Process | None:
    """The process with a pid, unless the pid belongs to another one by now."""
    try:
        process = psutil.Process(pid)
        return process if str(process.create_time()) == created else None
    except psutil.NoSuchProcess:
        return None


def _members(case_dir: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _mark(process) == str(case_dir)]


def _mark(process: psutil.Process) -> str | None:
    try:
        dead = process.status() == psutil.STATUS_ZOMBIE
        return None if dead else process.environ().get(MARK)
    except psutil.Error:
        return None
