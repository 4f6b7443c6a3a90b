"""One training that is measured: from the agreement on its folder to its result."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchspec.cases.case import Case
from benchspec.measuring import closing, folder as folders, group
from benchspec.measuring.recorder import Recorder
from benchspec.measuring.training import benchmark_name
from benchspec.running import rundir


class Session:
    """A training in a run directory. All ranks begin and end it together."""

    def __init__(self, folder: str | Path, name: str | None):
        """Raises `BenchspecError` if the folder cannot be used, before anything has been trained."""
        self.folder = Path(folder).absolute()
        self._name = benchmark_name(name, self.folder)
        folders.check(self.folder)
        self._lock: Any = None
        self.recorder: Recorder | None = None

    def begin(self, describe: Callable[[], Case], model: Any = None) -> Recorder:
        """Agree on the attempt's folder and start the clock; `describe` is asked on rank 0."""
        self.supersede()
        rank, world = group.place()
        attempt = Path(group.told(lambda: str(self._open(describe(), world))))
        self.recorder = Recorder(attempt, rank, world)
        self.recorder.begin(model)
        atexit.register(self._left, os.getpid())
        return self.recorder

    def _open(self, case: Case, world: int) -> Path:
        self._lock = rundir.locked(self.folder)
        self._lock.__enter__()
        return folders.opened(self.folder, case, self._name, world)

    def end(self) -> None:
        """The training has ended; rank 0 records its result."""
        if self.recorder:
            self._close(self.recorder.end)

    def supersede(self) -> None:
        """Another training begins in the same process: if this one has not ended, it has failed, and nobody said so."""
        self.fail(RuntimeError("this training ended early: another one began"))

    def _left(self, process: int) -> None:
        """Python ends. What ended the training is the exception that it has shown last, if it has shown any."""
        if os.getpid() != process:
            # It was forked from the one that measures.
            return
        # In a notebook, that may be one of any later cell.
        shown = None if "IPython" in sys.modules else getattr(sys, "last_value", None)
        self.fail(shown or RuntimeError("the script ended before this training did"))

    def fail(self, error: BaseException) -> None:
        """An exception ended the training."""
        if self.recorder:
            self._close(partial(self.recorder.fail, error))

    def _close(self, last_events: Callable[[], None]) -> None:
        """Write the last events and the result; what fails of it is said, and costs the script nothing."""
        recorder, self.recorder = self.recorder, None
        try:
            last_events()
            self._record(recorder)
        except Exception as error:
            print(f"benchspec: {self.folder}: this training has no result: {error}", file=sys.stderr)  # noqa: T201
        finally:
            atexit.unregister(self._left)
            if self._lock:
                self._lock.__exit__(None, None, None)
                self._lock = None

    def _record(self, recorder: Recorder | None) -> None:
        if recorder and recorder.rank == 0:
            # A rank that could not write to the end leaves nothing to wait for.
            closing.close(self.folder, recorder.attempt, 0.0 if recorder.broken else closing.WAIT)
