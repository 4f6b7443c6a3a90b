"""The recipe `packed` with the kernels that only a GPU has."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from packed_networks import NETWORKS, START, apart, both, gradients, padded_loss, rows, without_dropout

from benchspec_plugins.recipes import packed_network, packing
from benchspec_plugins.recipes.families import FAMILIES

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
CUDA = torch.device("cuda")


def on_gpu(network, found):
    """The gradients of padded and of packed rows on the GPU, on the host."""
    network = network.to(CUDA).train()
    other = copy.deepcopy(network)
    padded_loss(network, found).backward()
    packed_network.install(other)
    other(packing.pack(found, [np.array(START, np.int32)]).to(CUDA)).backward()
    return ({key: grad.cpu() for key, grad in gradients(each).items()} for each in (network, other))


@pytest.mark.parametrize("name", NETWORKS)
def test_in_bfloat16_it_is_no_further_from_float64_than_padded_rows(name):
    found = [row for number in range(6) for row in rows()[: 4 + number % 2]]
    network = without_dropout(NETWORKS[name]())
    (_, exact), _ = both(copy.deepcopy(network).double(), found, wide=True)
    with torch.autocast("cuda", torch.bfloat16):
        padded, mine = on_gpu(network, found)
    assert apart(mine, exact) <= 1.1 * apart(padded, exact)


@pytest.mark.parametrize("name", NETWORKS)
def test_in_float32_gradients_are_those_of_padded_rows(name):
    network = without_dropout(NETWORKS[name]())
    (_, exact), _ = both(copy.deepcopy(network).double(), rows(), wide=True)
    padded, mine = on_gpu(network, rows())
    assert apart(mine, exact) <= max(1e-5, 2 * apart(padded, exact))


@pytest.mark.parametrize("width", [8, 64, 72, 128, 256])
@pytest.mark.parametrize("shared", [True, False])
def test_the_kernel_of_many_lengths_computes_what_segments_one_by_one_do(width, shared):
    starts = [np.array(START, np.int32)] if shared else []
    pack = packing.pack([row for _ in range(20) for row in rows()], starts).to(CUDA)
    torch.manual_seed(1)
    heads = [torch.randn(len(pack.ids), 3, width, device=CUDA, dtype=torch.bfloat16) for _ in range(3)]
    weights = torch.randn(len(pack.ids), 3, width, device=CUDA)
    assert packed_network._takes(heads[0])

    def computed(attend, dtype):
        given = [each.to(dtype).requires_grad_() for each in heads]
        out = attend(*given, pack, width**-0.5)
        (out * weights).sum().backward()
        return [out.detach(), *(each.grad for each in given)]

    exact = computed(packed_network._one_by_one, torch.float64)
    apart_by = [
        [float((mine.double() - right).norm() / right.norm()) for mine, right in zip(found, exact, strict=True)]
        for found in (
            computed(packed_network._at_once, torch.bfloat16),
            computed(packed_network._one_by_one, torch.bfloat16),
        )
    ]
    for mine, other in zip(*apart_by, strict=True):
        assert mine <= 1.2 * other


@pytest.mark.parametrize("name", ["opt", "bloom", "llama"])
def test_compiled_blocks_compute_the_same_for_packs_of_any_lengths(name):
    network = without_dropout(NETWORKS[name]()).to(CUDA).train()
    other = copy.deepcopy(network)
    for each in (network, other):
        packed_network.install(each)
    for block in FAMILIES[type(other).__name__].blocks(other):
        block.compile(dynamic=True)
    for count in (6, 11, 4):
        pack = packing.pack([row for _ in range(count) for row in rows()], [np.array(START, np.int32)]).to(CUDA)
        with torch.autocast("cuda", torch.bfloat16):
            losses = [each(pack) for each in (network, other)]
        for each, loss in zip((network, other), losses, strict=True):
            each.zero_grad()
            loss.backward()
        assert losses[1].item() == pytest.approx(losses[0].item(), rel=1e-3)
        assert apart(gradients(other), {key: grad.double() for key, grad in gradients(network).items()}) < 1e-2
