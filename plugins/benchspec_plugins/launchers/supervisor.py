"""What stands between benchspec and the ranks of a case, so that none of their processes is left behind.

`supervisor.py group BENCHSPEC CASE_DIR COMMAND…` runs torchrun. On Linux it becomes the parent of every process of the
case whose own parent has ended, whatever session or environment that process has given itself. When torchrun ends, on
SIGTERM, or when the process with the id BENCHSPEC has gone, however it went, it kills them all, then ends itself.

`supervisor.py host CASE_DIR COMMAND…` does the same on another host, for as long as its standard input is open: whoever
started it from afar holds the other end.

`supervisor.py rank CASE_DIR COMMAND…` runs one rank's worker, its output appended to the logs of the case's folder, and
adds a line to the file `exits` there, of a further host `exits-1` and so on: the rank and its exit code.

It is run by its path and imports nothing but the standard library, to start in a few hundredths of a second.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

#: in the case's folder: a line `RANK EXIT-CODE` for each rank that ended by itself, in their order, then `STOPPED`
EXITS = "exits"
#: the supervisor ended the processes that were left; how they ended says nothing
STOPPED = "stopped"
#: in a process's environment, the id of the process that must outlive it
PARENT = "BENCHSPEC_PARENT"
#: in a process's environment, the number of its host among those of the case; absent on the first
NODE = "BENCHSPEC_NODE"
#: <linux/prctl.h>
_PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
#: the exit code of a supervisor that SIGTERM has ended
TOLD_TO_END = 128 + signal.SIGTERM
#: seconds between looks at torchrun and at benchspec
INTERVAL = 0.05
#: seconds after which a process that survives SIGKILL counts as stuck in the kernel
_KILL_TIMEOUT = 60.0


def group(case_dir: str, command: list[str], wanted: Callable[[], bool]) -> int:
    """Run torchrun until it ends, is not wanted any more (1), or SIGTERM comes (`TOLD_TO_END`); its exit code.

    By then, no process of the case is left.
    """
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    for ignored in (signal.SIGINT, signal.SIGHUP):
        # Not SIG_IGN, which torchrun would inherit.
        signal.signal(ignored, lambda number, frame: None)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    torchrun = _spawn(command, _bind)
    while (code := reap().get(torchrun)) is None and not stopped and wanted():
        time.sleep(INTERVAL)
    write_line(case_dir, STOPPED)
    end_all()
    if code is None:
        return TOLD_TO_END if stopped else 1
    return code


def _is_open(descriptor: int) -> bool:
    """Whether somebody holds the other end of a pipe or a connection; what comes from there is read and dropped."""
    readable, _, _ = select.select([descriptor], [], [], 0)
    return not readable or bool(os.read(descriptor, 1 << 16))


def rank(case_dir: str, command: list[str]) -> int:
    """Run one rank's worker and write down how it ended; its exit code, 128 and the number for a signal."""
    die_with(int(os.environ[PARENT]))
    log_to(case_dir)
    os.environ[PARENT] = str(os.getpid())
    worker = _spawn(command, lambda: None)
    code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    write_line(case_dir, f"{os.environ['RANK']} {code}")
    return code if code >= 0 else 128 - code


def log_to(case_dir: str) -> None:
    """Append what this process writes to stdout and stderr to the logs of the case's folder."""
    for number, name in ((1, "stdout.log"), (2, "stderr.log")):
        descriptor = os.open(f"{case_dir}/{name}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.dup2(descriptor, number)
        os.close(descriptor)


def _spawn(command: list[str], prepare: Callable[[], None]) -> int:
    """The id of a new process that runs a command."""
    if pid := os.fork():
        return pid
    try:
        prepare()
        os.execv(command[0], command)
    finally:
        os._exit(127)


def _bind() -> None:
    """In torchrun's process: it dies with its supervisor, and the ranks with it."""
    die_with(os.getppid())
    os.environ[PARENT] = str(os.getpid())


def die_with(parent: int) -> None:
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


def write_line(case_dir: str, line: str) -> None:
    # On a full disk there is still everything else to do. Importing pathlib would take 10 ms.
    node = os.environ.get(NODE)
    with suppress(OSError), open(f"{case_dir}/{EXITS}{f'-{node}' if node else ''}", "a") as file:  # noqa: PTH123
        file.write(f"{line}\n")


def reap() -> dict[int, int]:
    """The exit codes of the children that have ended since the last call, by process id."""
    codes: dict[int, int] = {}
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            codes[ended[0]] = os.waitstatus_to_exitcode(ended[1])
    return codes


def end_all() -> None:
    """Kill every descendant, again and again until none is left: some may be starting others."""
    end = time.monotonic() + _KILL_TIMEOUT
    while (found := descendants(os.getpid())) and time.monotonic() < end:
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        reap()


def descendants(pid: int) -> list[int]:
    """The ids of a process's children, their children, and so on."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found = list(children.get(pid, ()))
    for each in found:
        found += children.get(each, ())
    return found


def _parents() -> Iterator[tuple[int, int]]:
    """(process id, parent's id) of every process of this machine."""
    if not os.path.isdir("/proc/self"):  # noqa: PTH112
        yield from _parents_of_ps()
        return
    for name in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            # After the name in parentheses, which may hold anything: the state, the parent's id.
            yield int(name), int(file.read().rpartition(b")")[2].split()[1])


def _parents_of_ps() -> Iterator[tuple[int, int]]:
    """As `_parents`, on macOS, but for the `ps` that says so."""
    with os.popen("exec ps -A -o pid=,ppid=,comm=") as listing:
        for pid, parent, name in (line.split(None, 2) for line in listing):
            if name.strip() != "ps":
                yield int(pid), int(parent)


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    if role == "rank":
        sys.exit(rank(arguments[0], arguments[1:]))
    if role == "host":
        sys.exit(group(arguments[0], arguments[1:], lambda: _is_open(0)))
    starter = int(arguments[0])
    sys.exit(group(arguments[1], arguments[2:], lambda: os.getppid() == starter))
