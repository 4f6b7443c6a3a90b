"""Warm starts: the ranks of cases are forked from a template, a process that has imported what they need."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from benchspec import Handle
from benchspec.machine.process import MARK, PARENT
from benchspec.terms.layout import STDERR, STDOUT
from benchspec_plugins.launchers import group, template
from benchspec_plugins.launchers.commands import LOG, Host, environment

#: seconds in which a template must have imported what ranks need
IMPORT_TIMEOUT = 300.0
#: seconds in which a template that has does what it is told
ANSWER_TIMEOUT = 30.0


class ColdError(Exception):
    """There is no warm start, for the reason that it names."""


def start(case_dir: Path, host: Host) -> Handle:
    """Start the ranks of a case, all on this host, from the template, or where that is not safe, with torchrun."""
    begun = time.monotonic()
    try:
        return _forked(case_dir, host)
    except ColdError as reason:
        prepared = time.monotonic() - begun
        handle = group.start(case_dir, host)
        handle.prepared = prepared
        handle.remark = f"started cold, although the launcher's `warm` is set: {reason}"
        return handle


def _forked(case_dir: Path, host: Host) -> Warm:
    if sys.platform != "linux":
        raise ColdError("processes that are forked are not safe on this system")
    for name in (STDOUT, STDERR):
        (case_dir / name).touch()
    told = environment(case_dir, host)
    found, begun = _template(os.getpid(), told["OMP_NUM_THREADS"]), time.monotonic()
    with (case_dir / LOG).open("ab") as log:
        found.begin(log)
    prepared = time.monotonic() - begun
    return Warm(found, found.fork(case_dir, told, host.processes), case_dir, prepared)


@cache
def _template(pid: int, threads: str) -> Template:
    """The template of the process with this id, which is this one, for ranks of so many threads."""
    return Template(threads)


class Template:
    """A process that imports what ranks need, and forks the supervisors of cases on demand."""

    def __init__(self, threads: str) -> None:
        #: OMP_NUM_THREADS, which torch reads when it is imported
        self._threads = threads
        self._process: subprocess.Popen[bytes] | None = None
        #: why nothing can be forked from it
        self._refused: str | None = None
        self._ended: dict[int, int] = {}
        self._rest = b""

    def begin(self, log: IO[bytes]) -> None:
        """Start it, unless it runs; raises `ColdError` if nothing can be forked from it."""
        if self._refused:
            raise ColdError(self._refused)
        if self._process and self._process.poll() is None:
            return
        self._rest = b""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", template.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # Room for the mark of a case, which a process that is forked cannot be started with.
            env={
                **os.environ,
                MARK: " " * template.ROOM,
                PARENT: str(os.getpid()),
                "OMP_NUM_THREADS": self._threads,
                # Python reads it when it starts; a rank that is killed must have said what it printed.
                "PYTHONUNBUFFERED": "1",
            },
            # Ctrl-C reaches only benchspec, which then stops the case.
            start_new_session=True,
        )
        self._refused = self._answer("ready", IMPORT_TIMEOUT)
        if self._refused:
            self._process.kill()
            self._process.wait()
            raise ColdError(self._refused)

    def fork(self, case_dir: Path, environment: Mapping[str, str], processes: int) -> int:
        """The process id of the supervisor of a new case."""
        assert self._process and self._process.stdin
        told = {
            "case_dir": str(case_dir),
            "working_directory": str(Path.cwd()),
            "environment": environment,
            "processes": processes,
        }
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(told).encode() + b"\n")
            self._process.stdin.flush()
        try:
            return int(self._answer("forked", ANSWER_TIMEOUT))
        except ColdError:
            # It must not fork the case after all, once that has started cold.
            self._process.kill()
            self._process.wait()
            raise

    def code(self, supervisor: int) -> int | None:
        """The exit code of a case's supervisor; None while it runs, 1 if the template has gone."""
        while supervisor not in self._ended and (answer := self._read(0)):
            self._take(answer)
        if supervisor not in self._ended and self._process and self._process.poll() is not None:
            return 1
        return self._ended.get(supervisor)

    def gone(self) -> str | None:
        """How it ended, in words; None while it runs, or where it ended by itself."""
        if code := self._exit_code():
            return f"the process that warm cases are forked from {group.exit_text(code)}, and the case with it"
        return None

    def _exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    def _answer(self, name: str, seconds: float) -> Any:
        """What the template says of something; raises `ColdError` if it says nothing."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and (answer := self._read(left)):
            if name in answer:
                return answer[name]
            self._take(answer)
        code = self._exit_code()
        how = "does not answer" if code is None else group.exit_text(code)
        raise ColdError(f"the process that was to fork the others {how}")

    def _take(self, answer: Mapping[str, Any]) -> None:
        if "ended" in answer:
            self._ended[answer["ended"]] = answer["code"]

    def _read(self, seconds: float) -> dict[str, Any]:
        """The next line that the template has written; empty if there is none in time, or none will be."""
        assert self._process and self._process.stdout
        descriptor, end = self._process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._rest:
            readable, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
            new = os.read(descriptor, 1 << 16) if readable else b""
            if not new:
                return {}
            self._rest += new
        line, _, self._rest = self._rest.partition(b"\n")
        return dict(json.loads(line))


class Warm(Handle):
    """A case's processes, forked from the template."""

    def __init__(self, found: Template, supervisor: int, case_dir: Path, prepared: float):
        self.prepared = prepared
        self._stopping = False
        self._template = found
        self._supervisor = supervisor
        self._case_dir = case_dir
        self._ended = False
        self.id = str(case_dir)

    def poll(self) -> int | None:
        """0 if every rank ended with 0, else another code; by then no process of the case is left."""
        code = self._template.code(self._supervisor)
        if code is not None and not self._ended:
            self._ended = True
            group.copy_own_log(self._case_dir)
            if gone := self._template.gone():
                group.explain(self._case_dir, gone)
            elif not self._stopping:
                group.explain_supervisor(self._case_dir, code)
        return code

    def stop(self) -> None:
        self._stopping = True
        end = time.monotonic() + group.STOP_TIMEOUT
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._supervisor, signal.SIGTERM)
                # It may have been stopped.
                os.kill(self._supervisor, signal.SIGCONT)
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        # The supervisor may have been killed.
        group.end_marked(self._case_dir)
