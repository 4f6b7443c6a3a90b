"""What the tests of a rank share: a job with a small layer, and a training of it."""

from types import SimpleNamespace

import torch

from benchspec.kinds.bases import Backend
from benchspec.results import events
from benchspec.results.events import EventLog
from benchspec.worker.rank import Rank


def rank(folder):
    job = Rank(folder, EventLog(folder, 0), rank=0, world=1)
    job.case = SimpleNamespace(recipe={"name": "mine"})
    job.model, job.backend, job.device = torch.nn.Linear(2, 2), Backend({}), torch.device("cpu")
    return job


def train(job, losses=(2.0, 1.0), grad_norm=1.0, learn=0.1, loss_tokens=40):
    with job.phase("train"):
        for loss in losses:
            job.step(8, 80, 96, loss_tokens, loss, grad_norm)
        with torch.no_grad():
            job.model.weight += learn
    return job


def logged(folder, kind):
    """The events of one kind."""
    return [event for event in events.read(folder / "rank-0.jsonl") if event["event"] == kind]
