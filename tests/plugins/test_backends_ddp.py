"""DDP in a loop of a recipe's own."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from benchspec_plugins.backends.ddp import DdpEngine


@pytest.fixture
def engine():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    wrapped = DistributedDataParallel(torch.nn.Linear(4, 2), gradient_as_bucket_view=True)
    yield DdpEngine(wrapped, torch.optim.AdamW(wrapped.parameters()), {"precision": "fp32", "max_grad_norm": 1.0})
    dist.destroy_process_group()


def test_gradients_of_micro_batches_are_added_up_in_the_buckets(engine):
    places = []
    for _ in range(3):
        for last in (False, True):
            with engine.computing(last):
                engine.backward(engine.module(torch.ones(3, 4)).sum())
            places.append([parameter.grad.data_ptr() for parameter in engine.module.parameters()])
        engine.step()
    # From the second step on, where a step's first micro-batch adds is where the last one is averaged.
    assert places[2] == places[3] and places[4] == places[5]
