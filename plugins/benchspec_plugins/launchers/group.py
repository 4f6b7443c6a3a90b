"""torchrun and its workers as one process group that is started, polled, and stopped without leftover processes."""

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
from benchspec.machine.process import PARENT, die_with
from benchspec.terms.errors import RunError
from benchspec.terms.layout import STDERR, STDOUT

#: the environment variable by which the processes of a case are found, whatever their parent
MARK = "BENCHSPEC_CASE_DIR"
#: in the case's folder, torchrun's own output; its workers write to stdout.log and stderr.log
LOG = "torchrun.log"
#: starts a worker with its output in the logs of the case's folder, given as the argument;
#: -P: a module in the working directory, such as a user's struct.py, must not replace one of Python's
_WORKER = f'exec "$0" -P -m benchspec.worker "$1" >>"$1/{STDOUT}" 2>>"$1/{STDERR}"'
#: seconds after SIGTERM in which torchrun may stop its workers, before they are killed
TERM_TIMEOUT = 5.0
#: seconds after which a process that survives SIGKILL counts as stuck in the kernel
KILL_TIMEOUT = 60.0


def start(case_dir: Path, processes: int) -> Group:
    """Start torchrun for the case in a folder; the ranks' output is appended to stdout.log and stderr.log there."""
    for name in (STDOUT, STDERR):
        (case_dir / name).touch()
    with (case_dir / LOG).open("ab") as log:
        return Group(_spawn(case_dir, processes, log), case_dir)


def own_log(case_dir: Path) -> str:
    """torchrun's own output."""
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
        """The exit code; -1 if another process started the group, because the exit code is then unknown."""
        if self._code is None:
            self._code = self._exit_code()
            if self._code is not None:
                _copy_own_log(self._case_dir)
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
        # torchrun may have ended, or been killed, while its workers still run: each worker has its own session.
        end = time.monotonic() + KILL_TIMEOUT
        while members := _members(self._case_dir):
            if time.monotonic() > end:
                pids = ", ".join(str(process.pid) for process in members)
                raise RunError(f"these processes cannot be killed: {pids}; is a driver or a file system hung?")
            for process in members:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(members, timeout=1)

    def _wait(self) -> None:
        end = time.monotonic() + TERM_TIMEOUT
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.05)


def _copy_own_log(case_dir: Path) -> None:
    """Copy torchrun's own log to stderr.log if no rank wrote there: it is then the only explanation."""
    log = case_dir / STDERR
    if not log.exists() or not log.stat().st_size:
        with suppress(OSError), log.open("a") as file:
            file.write(own_log(case_dir))


def _spawn(case_dir: Path, processes: int, log: IO[bytes]) -> psutil.Process:
    torchrun = [sys.executable, "-P", "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*torchrun, "--no-python", "/bin/sh", "-c", _WORKER, sys.executable, str(case_dir)]
    environment = _environment(case_dir, processes)
    parent = os.getpid()

    def in_the_child() -> None:
        # If benchspec is killed, so is torchrun, and with torchrun its workers.
        die_with(parent)
        os.environ.update(environment)
        os.environ[PARENT] = str(os.getpid())

    # In a new session, so that Ctrl-C reaches only benchspec, which then stops the group.
    return psutil.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=in_the_child,
    )


def _environment(case_dir: Path, processes: int) -> dict[str, str]:
    # torchrun's default of one thread per process would leave other CPU cores idle.
    threads = max(1, _cores() // processes)
    return {"OMP_NUM_THREADS": str(threads), **os.environ, MARK: str(case_dir), "PYTHONUNBUFFERED": "1"}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _find(pid: int, created: str) -> psutil.Process | None:
    """The process with a pid; None if the pid now belongs to another process."""
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
