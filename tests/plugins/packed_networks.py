"""Networks, rows, and the gradients of both computations: of padded rows, and of the recipe `packed`."""

from __future__ import annotations

import copy

import numpy as np
import torch
from drive_backend import FAMILIES, tiny
from torch.overrides import TorchFunctionMode

from benchspec.worker.data.batches import collate
from benchspec_plugins.recipes import packed_network, packing

#: what rows of a template begin with
START = [7, 8, 9, 10]


def rows():
    """Rows of which some share a start, one has no answer, and one is of one token."""
    draw = np.random.default_rng(3)
    found = [{"input_ids": np.array([*START, *draw.integers(11, 99, n)], np.int32), "prompt": 6} for n in (5, 9, 2, 12)]
    found += [{"input_ids": draw.integers(11, 99, n).astype(np.int32), "prompt": 3} for n in (8, 1)]
    return found


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=2, vocab_size=131))


def qwen():
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    return Qwen3ForCausalLM(Qwen3Config(**sizes, num_key_value_heads=2, head_dim=16, vocab_size=131))


NETWORKS = {**{family: lambda family=family: tiny(family) for family in FAMILIES}, "llama": llama, "qwen3": qwen}


class Double(TorchFunctionMode):
    """float64 in place of the float32 to which networks cast on their way."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        def wide(value):
            return torch.float64 if value is torch.float32 else value

        if func is torch.Tensor.float:
            return args[0].double()
        return func(*map(wide, args), **{key: wide(value) for key, value in (kwargs or {}).items()})


def padded_loss(network, found):
    device = next(network.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in collate(found, 1).items()}
    labels = batch["labels"]
    logits = network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
    kept = labels[:, 1:].ne(-100)
    return torch.nn.functional.cross_entropy(logits[:, :-1][kept], labels[:, 1:][kept], reduction="sum")


def gradients(network):
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def both(network, found, wide=False):
    """Losses and gradients of the padded and of the packed computation."""
    other = copy.deepcopy(network)
    with Double() if wide else torch.enable_grad():
        loss = padded_loss(network.train(), found)
        loss.backward()
        packed_network.install(other.train())
        sums = other(packing.pack(found, [np.array(START, np.int32)]))
        sums.backward()
    return (loss, gradients(network)), (sums, gradients(other))


def without_dropout(network):
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return network


def apart(found, wanted):
    """How far gradients are from others, as a share of the others' length."""
    square = sum(float(((found[key].double() - wanted[key]) ** 2).sum()) for key in wanted)
    return (square / sum(float((wanted[key] ** 2).sum()) for key in wanted)) ** 0.5
