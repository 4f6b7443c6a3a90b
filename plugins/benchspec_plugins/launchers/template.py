"""The process that ranks are forked from: `python -m benchspec_plugins.launchers.template`, as `warm.py` starts it.

It imports what a rank needs, says whether it is safe to fork, and then for each line of its standard input forks the
supervisor of a case, which forks the ranks. A line is a JSON object `{case_dir, working_directory, environment,
processes}`. It answers on standard output: `{"ready": null}` or the reason why not, `{"forked": PID}`, and when that
has ended, `{"ended": PID, "code": CODE}`. It ends with its standard input, with the process that started it, and when
it has been idle for long.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from benchspec.machine.process import MARK, PARENT, die_with, die_with_starter
from benchspec_plugins.launchers import supervisor
from benchspec_plugins.launchers.commands import LOG

#: the program of a rank, and the module of what it imports
WORKER, PRELOAD = "benchspec.worker", "benchspec.worker.preload"
#: bytes in this process's first environment that hold the mark of a case once a process of it is forked
ROOM = 4096
#: seconds without a case after which the process ends; whoever needs it then starts another
IDLE = 60.0
#: seconds in which ranks end after SIGTERM, once one of them has failed
GRACE = 5.0


def main() -> None:
    """Import, and fork until the standard input ends."""
    die_with_starter()
    # Python counts the threads of OpenBLAS and of Arrow's allocator, which end at a fork, or begin anew after it.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    # Libraries print while they are imported.
    answers = os.dup(1)
    os.dup2(2, 1)
    room = _room()
    _spare_driver()
    runpy.run_module(PRELOAD)
    _say(answers, ready=_unsafe())
    gc.collect()
    # What is there is not looked at again, so that forked processes share its memory.
    gc.freeze()
    requests, running, used = _Lines(), set[int](), time.monotonic()
    while (line := requests.next()) is not None and (running or time.monotonic() - used < IDLE):
        if line:
            running.add(forked := _fork(json.loads(line), room, answers))
            _say(answers, forked=forked)
        for pid, code in supervisor.reap().items():
            running.discard(pid)
            used = time.monotonic()
            _say(answers, ended=pid, code=code)


def _spare_driver() -> None:
    """Have libraries count GPUs without calling CUDA's driver, which no process could use that is forked afterwards."""
    import torch

    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    if not _in_fork(torch.cuda.is_available):
        # Where NVML sees none, torch would ask the driver all the same. Asking may have failed: then nothing is hidden.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def _unsafe() -> str | None:
    """Why a process that is forked from this one might not work; None if it does."""
    import torch

    if torch.cuda.is_initialized() or _in_fork(torch.cuda._is_in_bad_fork):  # type: ignore[no-untyped-call]
        return "the process that forks the others has called CUDA's driver"
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
        return f"the process that forks the others has threads: {names}"
    return None


def _in_fork(ask: Callable[[], bool]) -> bool:
    """What a process that is forked from this one answers; True if it fails."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
    code = 1
    try:
        code = int(ask())
    finally:
        os._exit(code)


def _say(answers: int, **answer: Any) -> None:
    os.write(answers, json.dumps(answer).encode() + b"\n")


class _Lines:
    """The lines of standard input as they come."""

    def __init__(self) -> None:
        self._rest = b""

    def next(self) -> bytes | None:
        """A line; empty if there is none soon, None after the last."""
        if b"\n" not in self._rest:
            readable, _, _ = select.select([0], [], [], supervisor.INTERVAL)
            if not readable:
                return b""
            new = os.read(0, 1 << 20)
            if not new:
                return None
            self._rest += new
        line, end, rest = self._rest.partition(b"\n")
        self._rest = rest if end else self._rest
        return line if end else b""


def _fork(request: Mapping[str, Any], room: int, answers: int) -> int:
    """The id of a new process that supervises the ranks of a case."""
    template = os.getpid()
    # What waits in a buffer would be written by each process that has a copy of it.
    sys.stdout.flush()
    sys.stderr.flush()
    if pid := os.fork():
        return pid
    try:
        os.setsid()
        _leave_template(str(request["case_dir"]), room, answers)
        code = _supervise(request, template)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    os._exit(code)


def _supervise(request: Mapping[str, Any], template: int) -> int:
    """Run the ranks of a case until they end, one fails, or nobody wants them any more.

    Returns 0 if all went well, `TOLD_TO_END` after SIGTERM, else 1.
    """
    case_dir, world = str(request["case_dir"]), int(request["processes"])
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    supervisor.prctl(supervisor.PR_SET_CHILD_SUBREAPER, 1)
    listening = socket.create_server(("127.0.0.1", 0))
    ranks = {_rank(request, rank, listening): rank for rank in range(world)}
    store = _store(listening, world)
    codes: dict[int, int] = {}
    failed: float | None = None
    while len(codes) < world and not stopped and os.getppid() == template:
        for pid, code in supervisor.reap().items():
            if pid in ranks:
                codes[ranks[pid]] = code
                supervisor.write_line(case_dir, f"{ranks[pid]} {code}")
        if failed is None and any(codes.values()):
            failed = time.monotonic()
            for pid, rank in ranks.items():
                if rank not in codes:
                    os.kill(pid, signal.SIGTERM)
        if failed is not None and time.monotonic() - failed > GRACE:
            break
        time.sleep(supervisor.INTERVAL)
    del store
    supervisor.write_line(case_dir, supervisor.STOPPED)
    supervisor.end_all()
    if stopped:
        return supervisor.TOLD_TO_END
    return 0 if len(codes) == world and not any(codes.values()) else 1


def _leave_template(case_dir: str, room: int, answers: int) -> None:
    """Let go of what is the template's, bear the mark of the case, and write to its own log."""
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(f"{case_dir}/{LOG}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for mine, instead in ((0, nothing), (answers, nothing), (1, log), (2, log)):
        os.dup2(instead, mine)
    os.close(nothing)
    os.close(log)
    _write_mark(case_dir, room)


def _store(listening: socket.socket, world: int) -> Any:
    """Where ranks meet; as torchrun's, it is there from the beginning, since anybody may take a port that is free."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    host, port = listening.getsockname()
    descriptor = listening.detach()
    return TCPStore(host, port, world, is_master=True, wait_for_workers=False, master_listen_fd=descriptor)


def _rank(request: Mapping[str, Any], rank: int, listening: socket.socket) -> int:
    """The id of a new process that is a rank of a case."""
    parent, port = os.getpid(), int(listening.getsockname()[1])
    if pid := os.fork():
        return pid
    try:
        listening.close()
        die_with(parent)
        _prepare(request, rank, port, parent)
        runpy.run_module(WORKER, run_name="__main__", alter_sys=True)
    except BaseException:
        # The worker tells its own failures, and then ends the process.
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _prepare(request: Mapping[str, Any], rank: int, port: int, parent: int) -> None:
    """Make this process what `python -m benchspec.worker CASE_DIR` is where torchrun has started it."""
    import numpy

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    case_dir, world = str(request["case_dir"]), str(request["processes"])
    supervisor.log_to(case_dir)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.environ.update(
        {
            **dict.fromkeys(("RANK", "LOCAL_RANK", "ROLE_RANK"), str(rank)),
            **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE", "ROLE_WORLD_SIZE"), world),
            **{"GROUP_RANK": "0", "GROUP_WORLD_SIZE": "1"},
            **{"ROLE_NAME": "default", "TORCHELASTIC_RUN_ID": "none", "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1"},
            **dict.fromkeys(("TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS"), "0"),
            **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "True"},
            **{PARENT: str(parent), MARK: case_dir},
        }
    )
    os.chdir(request["working_directory"])
    sys.argv = [WORKER, case_dir]
    # Otherwise all cases would draw the same, where a cold start draws what nobody foresees.
    numpy.random.seed()


def _room() -> int:
    """Where the value of the mark stands in this process's first environment, which other processes can see."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    return int(getenv(MARK.encode()) or 0)


def _write_mark(case_dir: str, room: int) -> None:
    """Have /proc show the mark of a case in this process's environment, as if it had been started with it."""
    mark = os.fsencode(case_dir)
    with suppress(OSError):
        if room and len(mark) < ROOM:
            ctypes.memmove(room, mark.ljust(ROOM, b"\0"), ROOM)


if __name__ == "__main__":
    main()
