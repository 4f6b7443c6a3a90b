"""The processes of a case's ranks on this host: which of them have gone, and what those are doing that stand still."""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchspec.machine.host import host
from benchspec.machine.process import MARK, STACKS
from benchspec.results.events import Event
from benchspec.running.culprit import Frame, Seen
from benchspec.terms.layout import pulse_file, stacks_file

#: seconds in which ranks write down their stacks
STACKS_TIMEOUT = 3.0
#: seconds after which py-spy is left alone
PY_SPY_TIMEOUT = 20.0
#: a frame, as faulthandler writes it
_FRAME = re.compile(r'^ +File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.+)$', re.MULTILINE)
_GONE = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class Processes:
    """The processes of one attempt."""

    def __init__(self, attempt: Path):
        self._attempt = attempt
        self._processes: dict[int, psutil.Process] = {}

    def take(self, rank: int, start: Event) -> None:
        """Remember a rank's process by its event `start`, if it is on this host and bears the mark of its case."""
        if start.get("host") != host():
            return
        # The process may have gone; where another one has its id already, that has no such mark.
        with suppress(psutil.Error, KeyError, TypeError, ValueError):
            process = psutil.Process(start["pid"])
            if process.environ().get(MARK) == str(self._attempt):
                self._processes[rank] = process

    def gone(self) -> set[int]:
        """The ranks whose process lived, and has gone."""
        return {rank for rank, process in self._processes.items() if _state(process) == "gone"}

    def observe(self, ranks: Iterable[int]) -> dict[int, Seen]:
        """What the processes of ranks are doing, seen once; their stacks are kept in the attempt's folder."""
        pulses = {rank: _pulse(self._attempt / pulse_file(rank)) for rank in ranks}
        now, before = time.monotonic(), self._states()
        self._keep_stacks()
        after = self._states()
        return {
            rank: Seen(
                state=_lasting(before.get(rank), after.get(rank)),
                pulse_age=now - pulse["clock"] if pulse and rank in self._processes else None,
                cpu=_cpu(pulse) if pulse else None,
                stack=main_stack(_text(self._attempt / stacks_file(rank))),
            )
            for rank, pulse in pulses.items()
        }

    def _states(self) -> dict[int, str]:
        return {rank: _state(process) for rank, process in self._processes.items()}

    def _keep_stacks(self) -> None:
        """Have every rank write its stacks, py-spy's included where that is installed."""
        living = self._processes.keys() - self.gone()
        for rank in living:
            _dump(self._processes[rank], self._attempt / stacks_file(rank))
        end = time.monotonic() + STACKS_TIMEOUT
        files = [self._attempt / stacks_file(rank) for rank in living]
        sizes: list[int] = []
        while not (all(sizes) and sizes == _sizes(files)) and time.monotonic() < end:
            sizes = _sizes(files)
            time.sleep(0.1)

    def forget(self, ranks: Iterable[int]) -> None:
        """Remove the files of stacks that nobody asked for."""
        for rank in ranks:
            file = self._attempt / stacks_file(rank)
            with suppress(OSError):
                if not file.stat().st_size:
                    file.unlink()


def _dump(process: psutil.Process, file: Path) -> None:
    """Have a process write its stacks to a file, which it has open; a stopped one has to go on for it."""
    if spy := _py_spy():
        command = [spy, "dump", "--nonblocking", "--pid", str(process.pid)]
        with suppress(OSError, subprocess.SubprocessError), file.open("ab") as stream:
            subprocess.run(command, stdout=stream, stderr=subprocess.DEVNULL, timeout=PY_SPY_TIMEOUT)
    with suppress(psutil.Error):
        _signal_main_thread(process, STACKS)
        process.send_signal(signal.SIGCONT)


def _signal_main_thread(process: psutil.Process, signum: signal.Signals) -> None:
    """Send a signal to a process's main thread, whose id is the process's.

    A signal to the process as a whole is taken by any thread; in one that was stopped, the main thread would meanwhile
    go on from where it stood. Where libc cannot do this, as on macOS, the process as a whole gets it.
    """
    tgkill = getattr(ctypes.CDLL(None), "tgkill", None)
    if tgkill is None:
        process.send_signal(signum)
    elif process.is_running():
        tgkill(process.pid, process.pid, signum)


def _py_spy() -> str | None:
    return shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))


def _sizes(files: Iterable[Path]) -> list[int]:
    return [file.stat().st_size if file.exists() else 0 for file in files]


def _state(process: psutil.Process) -> str:
    """A process's state, in the words of `Seen.state`."""
    try:
        status = process.status() if process.is_running() else psutil.STATUS_DEAD
    except psutil.NoSuchProcess:
        return "gone"
    except psutil.Error:
        return "runs"
    if status in _GONE:
        return "gone"
    return {psutil.STATUS_STOPPED: "stopped", psutil.STATUS_DISK_SLEEP: "kernel"}.get(status, "runs")


def _lasting(before: str | None, after: str | None) -> str | None:
    """The state of a process that was looked at twice: to be in the kernel for a moment means nothing."""
    return "runs" if before == "kernel" != after else before


def _pulse(file: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(_text(file))
        return found if all(isinstance(found[key], int | float) for key in ("clock", "cpu", "since")) else None
    except (ValueError, KeyError, TypeError):
        return None


def _cpu(pulse: Mapping[str, Any]) -> float | None:
    """The share of a core that was used since phase and step last changed."""
    seconds = pulse["clock"] - pulse["since"]
    return (pulse["cpu"] - pulse["cpu_since"]) / seconds if seconds > 0 else None


def main_stack(text: str) -> tuple[Frame, ...]:
    """The calls of the main thread, the innermost first; faulthandler writes the oldest thread last."""
    *_, last = ("", *re.split(r"^(?:Thread|Current thread) 0x.*$", text, flags=re.MULTILINE))
    return tuple(Frame(found["file"], int(found["line"]), found["function"]) for found in _FRAME.finditer(last))


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
