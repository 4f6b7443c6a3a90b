"""A third-party plugin package for the tests: a plain training loop that can go wrong in every way, and its backend."""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchspec import Backend, Recipe, hookimpl
from benchspec_plugins.recipes.alpaca import Alpaca

FAULTS = ["none", "raise", "memory", "nan", "frozen", "kill", "abort", "hang", "exit", "boast", "longer", "numpy"]
#: a rank that does not go on, or goes without a word
FAULTS += ["daemon", "mismatch", "pause", "loop", "stop", "lock", "vanish", "quit", "mute"]


class MuteError(Exception):
    """An exception that cannot be shown."""

    def __str__(self):
        raise ZeroDivisionError


class Plain(Recipe):
    """A loop without Trainer, which knows nothing of benchspec but the attributes of its job."""

    name = "plain"
    options_schema = {
        "properties": {
            "fault": {"enum": FAULTS, "default": "none"},
            "rank": {"type": "integer", "default": 0},
            "steps": {"type": "integer", "default": 3},
            "sleep": {"type": "number", "default": 0},
            # counted from 0
            "at": {"type": "integer", "default": 1},
        }
    }

    def steps(self, rows, train, ranks):
        return self.options["steps"]

    def train(self, job):
        import torch

        group = int(os.environ["WORLD_SIZE"]) > 1
        if group:
            torch.distributed.init_process_group("gloo")
        optimizer = torch.optim.SGD(job.model.parameters(), lr=0.0 if self.options["fault"] == "frozen" else 1e-3)
        with job.phase("train"):
            for number in range(self.options["steps"] + 2 * (self.options["fault"] == "longer")):
                ids = torch.tensor(job.data[number % len(job.data)]["input_ids"], dtype=torch.long)[None]
                loss = job.model(input_ids=ids, labels=ids).loss
                loss.backward()
                norm = torch.nn.utils.clip_grad_norm_(job.model.parameters(), 1.0)
                if number == 1 and self.options["fault"] == "mismatch":
                    self.mismatch(job)
                elif number == self.options["at"] and int(os.environ["RANK"]) == self.options["rank"]:
                    self.go_wrong(job)
                if group:
                    torch.distributed.barrier()
                optimizer.step()
                optimizer.zero_grad()
                time.sleep(self.options["sleep"])
                value = float("nan") if self.options["fault"] == "nan" else loss.item()
                job.step(self.rows(), ids.numel(), ids.numel(), ids.numel() - 1, value, norm.item())

    def rows(self):
        import numpy

        return {"boast": 10**6, "numpy": numpy.int64(1)}.get(self.options["fault"], 1)

    def go_wrong(self, job):
        getattr(self, self.options["fault"], lambda: None)()

    def memory(self):
        import torch

        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + 2**28,) * 2)
        torch.ones(2**30)

    def kill(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def abort(self):
        ctypes.CDLL(None).abort()

    def mismatch(self, job):
        """Reduce more on one rank than on the others: gloo ends one of them with SIGABRT."""
        import torch

        torch.distributed.all_reduce(torch.ones(10 if job.rank == self.options["rank"] else 10**5))

    def hang(self):
        time.sleep(600)

    def daemon(self):
        # It has left its parent, its session and its environment.
        command = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
        if not os.fork():
            os.setsid()
            daemon = subprocess.Popen(command, env={}, start_new_session=True, stdout=subprocess.DEVNULL)
            Path(os.environ["BENCHSPEC_CASE_DIR"], "daemon").write_text(str(daemon.pid))
            os._exit(0)

    def pause(self):
        time.sleep(10 * self.options["sleep"])

    def loop(self):
        while True:
            pass

    def stop(self):
        os.kill(os.getpid(), signal.SIGSTOP)

    def lock(self):
        # A call of a C library that is not told to let other threads run.
        ctypes.PyDLL(None).sleep(600)

    def vanish(self):
        os._exit(0)

    def quit(self):
        os._exit(3)

    def mute(self):
        raise MuteError

    def exit(self):
        raise SystemExit(0)

    def __getattr__(self, name):
        if name == "raise":
            return self.error
        raise AttributeError(name)

    def error(self):
        raise ZeroDivisionError("a mistake of the recipe's author")


class Timed(Alpaca):
    """The Alpaca recipe, with what Trainer itself says of its time."""

    name = "timed"

    def train(self, job):
        from transformers import Trainer

        plain = Trainer.train

        def train(trainer, *args, **kwargs):
            output = plain(trainer, *args, **kwargs)
            (job.folder / "trainer.json").write_text(json.dumps(output.metrics))
            return output

        Trainer.train = train
        return super().train(job)


class Alone(Backend):
    """Every process trains a whole model of its own."""

    name = "alone"

    def prove(self, model):
        return {"sharding": "none"}


@hookimpl
def benchspec_register():
    return [Plain, Timed, Alone]
