"""Plugins that go wrong: in every phase of a case, in every way, on one rank. `faults.py` installs them."""

import ctypes
import os
import resource
import signal
import time
from pathlib import Path

from benchspec import Dataset, Recipe, hookimpl
from benchspec_plugins.backends.ddp import Ddp
from benchspec_plugins.datasets.synthetic import Synthetic
from benchspec_plugins.models.opt import OPT
from benchspec_plugins.recipes.loop import Loop

#: which fault happens, and on which rank
OPTIONS = {
    "fault": {"type": "string", "default": "none"},
    "rank": {"type": "integer", "default": 0},
}


class UnspeakableError(Exception):
    """An exception that cannot even say what it is."""

    def __str__(self):
        raise ZeroDivisionError("no words")


def raises():
    raise ZeroDivisionError("a mistake of the plugin's author")


def unspeakable():
    raise UnspeakableError


def said_so():
    raise RuntimeError("row 7 says: CUDA out of memory, killed by the OOM killer")


def memory():
    import torch

    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**28,) * 2)
    torch.ones(2**30)


def python_memory():
    raise MemoryError


def host_memory():
    raise OSError(12, "Cannot allocate memory")


def system_exit():
    raise SystemExit(0)


def leaves():
    os._exit(0)


def leaves_with_code():
    os._exit(3)


def kills():
    os.kill(os.getpid(), signal.SIGKILL)


def terminates():
    os.kill(os.getpid(), signal.SIGTERM)


def crashes():
    os.kill(os.getpid(), signal.SIGSEGV)


def aborts():
    os.write(2, b"terminate called after throwing an instance of 'acme::Error'\n  what():  the card fell off\n")
    ctypes.CDLL(None).abort()


def sleeps():
    time.sleep(3600)


def spins():
    while True:
        pass


def stops():
    os.kill(os.getpid(), signal.SIGSTOP)


def daemon():
    """A process that has left its parents and their environment behind, and then a mistake."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", "3599"], {})
        os._exit(0)
    raises()


FAULTS = {
    function.__name__: function
    for function in (
        raises, unspeakable, said_so, memory, python_memory, host_memory, system_exit, leaves, leaves_with_code,
        kills, terminates, crashes, aborts, sleeps, spins, stops, daemon,
    )
}  # fmt: skip


def go_wrong(options, *, on_any=False):
    if options["fault"] != "none" and (on_any or int(os.environ["RANK"]) == options["rank"]):
        FAULTS[options["fault"]]()


class Rows(Dataset):
    """Synthetic rows that go wrong while one rank reads them for all."""

    name = "faulty-rows"
    options_schema = {"properties": OPTIONS}

    def rows(self):
        go_wrong(self.options, on_any=True)
        return Synthetic({"rows": 24, "seed": 42}).rows()


class Network(OPT):
    """A tiny OPT that goes wrong while it is built."""

    name = "faulty-opt"
    options_schema = {**OPT.options_schema, "properties": {**OPT.options_schema["properties"], **OPTIONS}}
    presets = {"faulty-opt-tiny": OPT.presets["opt-tiny"]}

    def build(self):
        go_wrong(self.options)
        return super().build()


class Spread(Ddp):
    """DDP that goes wrong while it distributes the model."""

    name = "faulty-ddp"
    options_schema = {"properties": OPTIONS}

    def spread(self, model, optimizer, train):
        go_wrong(self.options)
        return super().spread(model, optimizer, train)


class Training(Loop):
    """A plain loop that goes wrong in a step, or while it saves."""

    name = "faulty-loop"
    options_schema = {"properties": {**OPTIONS, "step": {"type": "integer", "default": 2}}}

    def train(self, job):
        report, phase = job.step, job.phase
        calls = []

        def step(*counts):
            calls.append(counts)
            if len(calls) == self.options["step"]:
                go_wrong(self.options)
            return report(*counts)

        def saving(name):
            opened = phase(name)
            if name == "save" and self.options["step"] == 0:
                return Wrong(opened, self.options)
            return opened

        job.step, job.phase = step, saving
        return super().train(job)


class Wrong:
    """A context that goes wrong once it is entered."""

    def __init__(self, context, options):
        self.context, self.options = context, options

    def __enter__(self):
        entered = self.context.__enter__()
        go_wrong(self.options)
        return entered

    def __exit__(self, *error):
        return self.context.__exit__(*error)


@hookimpl
def benchspec_register() -> list[type[Recipe]]:
    return [Rows, Network, Spread, Training]
