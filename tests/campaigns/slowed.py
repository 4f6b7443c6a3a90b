"""A recipe that takes longer on some launches, by a known share. `launches.py` installs it."""

import json
import time

from benchspec import hookimpl
from benchspec_plugins.recipes.loop import Loop

#: last digit of a launch's number -> how much longer its steps take; the others take as long as they take
SLOWER = {3: 0.02, 6: 0.05, 9: 0.10}


class Slowed(Loop):
    """The recipe `loop`, whose process computes on in vain after each step."""

    name = "slowed"

    def train(self, job):
        number = json.loads((job.folder / "case.json").read_text())["launch"]
        share, step = SLOWER.get(number % 10, 0.0), job.step
        ended = time.perf_counter()

        def longer(*counts):
            nonlocal ended
            until = time.perf_counter() + share * (time.perf_counter() - ended)
            while time.perf_counter() < until:
                pass
            ended = time.perf_counter()
            return step(*counts)

        job.step = longer
        return super().train(job)


@hookimpl
def benchspec_register():
    return [Slowed]
