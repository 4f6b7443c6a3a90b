"""A network that is called with a pack and returns the sum of its losses.

The network, its blocks and its head get a `forward` of their own, on the instance. Every parameter is still used inside
the `__call__` of the module that owns it, so that the hooks of DDP, FSDP2, ZeRO-3, activation checkpointing and compile
fire as ever.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.nn.functional import linear, scaled_dot_product_attention

from benchspec import PluginError
from benchspec_plugins.recipes.families import FAMILIES, Family, Heads
from benchspec_plugins.recipes.packing import Keys, Pack

#: learnt places whose logits exist at once on a CPU, and at most on an accelerator
CPU_PLACES, GPU_PLACES = 1024, 4096
#: bytes that they take on an accelerator at most
GPU_BYTES = 2**30


def install(model: Any) -> None:
    """Have `model(pack)` return the sum of the losses at the pack's learnt places.

    `model` is a network, or one that a method has wrapped. Raises `PluginError` for a network of no known family.
    """
    network = model.get_base_model() if hasattr(model, "get_base_model") else model
    name = type(network).__name__
    if (family := FAMILIES.get(name)) is None:
        raise PluginError(f"the recipe 'packed' knows {', '.join(FAMILIES)}, not {name}; choose another recipe")
    for field, values in family.required.items():
        if (found := getattr(network.config, field, None)) not in values:
            raise PluginError(f"the recipe 'packed' does not compute {field} {found}; choose another recipe")
    head = network.get_output_embeddings()
    if not isinstance(head, torch.nn.Linear):
        # A method has wrapped it: what that adds to its product is computed in a `forward` that would not run.
        raise PluginError(
            "the recipe 'packed' computes the head's product itself, without what the method adds to it; leave the "
            "head out of the method's targets, or choose another recipe"
        )
    for block in family.blocks(network):
        block.forward = partial(_block, network, block, family)
    head.forward = partial(_loss, head)  # type: ignore[method-assign]
    model.forward = partial(_network, network, family)


def uninstall(model: Any) -> None:
    """Give every module its class's `forward` back."""
    for module in model.modules():
        vars(module).pop("forward", None)


def _network(network: Any, family: type[Family], pack: Pack) -> torch.Tensor:
    x = family.embed(network, pack)
    for block in family.blocks(network):
        x = block(x, pack)
    x = family.end(network, x)
    return network.get_output_embeddings()(x[pack.learnt], pack.targets)  # type: ignore[no-any-return]


def _block(network: Any, block: Any, family: type[Family], x: torch.Tensor, pack: Pack) -> torch.Tensor:
    compute = partial(_computed, network, block, family, pack)
    # transformers checkpoints the class's `forward`, which this one replaces.
    if block.training and getattr(block, "gradient_checkpointing", False):
        return block._gradient_checkpointing_func(compute, x)  # type: ignore[no-any-return]
    return compute(x)


def _computed(network: Any, block: Any, family: type[Family], pack: Pack, x: torch.Tensor) -> torch.Tensor:
    heads = family.heads(network, block, x, pack)
    return family.rest(block, x, attend(heads, pack, heads[0].shape[2] - family.extra))


def attend(heads: Heads, pack: Pack, width: int) -> torch.Tensor:
    """Causal attention within each segment and what it continues: (tokens, heads × width).

    `heads` are of shape (tokens, heads, columns); `width` of the columns are a head's own.
    """
    q, k, v = heads
    # Under autocast, norms and rotations give float32.
    q, k = q.to(v.dtype), k.to(v.dtype)
    if k.shape[1] < q.shape[1]:
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    compute = _at_once if _takes(q) else _one_by_one
    done: torch.Tensor = compute(q, k, v, pack, width**-0.5)
    return done[..., :width].flatten(1)


def has_kernel(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether torch's kernel for sequences of many lengths computes such numbers there: FlashAttention, NVIDIA's GPUs.

    AMD's aligns the mask at a segment's first key, so that a row would not see itself.
    """
    if device.type != "cuda" or torch.version.hip or dtype not in (torch.float16, torch.bfloat16):
        return False
    return torch.cuda.get_device_capability(device)[0] >= 8


def _takes(q: torch.Tensor) -> bool:
    """Whether the kernel computes such queries."""
    return has_kernel(q.device, q.dtype) and q.shape[2] % 8 == 0 and q.shape[2] <= 256


def _at_once(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, pack: Pack, scale: float) -> Any:
    """With torch's kernel for sequences of many lengths."""
    from torch.nn.attention.varlen import varlen_attn

    if pack.keys is not None:
        function: Any = _Seen
        k, v = (function.apply(x, pack.keys) for x in (k, v))
    sizes = pack.starts, pack.key_starts, pack.longest, pack.longest_keys
    # Aligned at the end: a row sees all of the start, and of itself what came before.
    return varlen_attn(q, k, v, *sizes, scale=scale, window_size=(-1, 0))


class _Seen(torch.autograd.Function):
    """What each segment sees, of the keys or the values of all tokens.

    What rows add to the gradient of a start that they share is added up in float32, and in the same order each time.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, keys: Keys) -> torch.Tensor:
        ctx.keys = keys
        return x[keys.tokens]

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        # Shared starts are the first segments.
        total, begin = grad[ctx.keys.own], 0
        for places in ctx.keys.followers:
            mine = total[begin : (begin := begin + places.shape[1])]
            mine.add_(grad[places].sum(0, dtype=torch.float32))
        return total, None


# Compiled, it would be so anew for each pack.
@torch.compiler.disable  # type: ignore[untyped-decorator]
def _one_by_one(q: Any, k: Any, v: Any, pack: Pack, scale: float) -> torch.Tensor:
    """Segment by segment; a row's queries stand behind those of the start that it continues, which are dropped."""
    queries, keys, values = (x.transpose(0, 1)[None].split(pack.lengths, 2) for x in (q, k, v))
    done = []
    for number, (length, other) in enumerate(zip(pack.lengths, pack.continues, strict=True)):
        seen = [number] if other is None else [other, number]
        query, key, value = (torch.cat([part[each] for each in seen], 2) for part in (queries, keys, values))
        out = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale)
        done.append(out[0, :, -length:].transpose(0, 1))
    return torch.cat(done)


def _loss(head: Any, x: Any, targets: torch.Tensor) -> Any:
    """The summed cross-entropy, computed in float32 at least."""
    weight, bias = head.weight, head.bias
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = (None if each is None else each.to(dtype) for each in (x, weight, bias))
    function: Any = _Loss
    return function.apply(x, weight, bias, targets)


class _Loss(torch.autograd.Function):
    """The loss and, with it, its gradients, chunk by chunk: no logits wait for the backward pass.

    `torch.nn.functional.linear_cross_entropy` does so too, but gives a bfloat16 loss, of three digits.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, targets: Any) -> Any:
        wide = torch.promote_types(x.dtype, torch.float32)
        total, of_x = x.new_zeros((), dtype=wide), torch.empty_like(x)
        of_weight = torch.zeros_like(weight, dtype=wide) if ctx.needs_input_grad[1] else None
        of_bias = torch.zeros_like(bias, dtype=wide) if bias is not None and ctx.needs_input_grad[2] else None
        # Logits, their copy in float32, and the logarithms of chances.
        each = (x.dtype.itemsize + 2 * wide.itemsize) * len(weight)
        places = CPU_PLACES if x.device.type == "cpu" else max(1, min(GPU_PLACES, GPU_BYTES // each))
        for start in range(0, len(x), places):
            part, wanted = x[start : start + places], targets[start : start + places, None]
            chances = linear(part, weight, bias).log_softmax(1, dtype=wide)
            total -= chances.gather(1, wanted).sum()
            # The gradient of the loss by the logits: softmax, less one at the target.
            slope = chances.exp_()
            slope.scatter_add_(1, wanted, slope.new_full((), -1.0).expand(wanted.shape))
            if of_bias is not None:
                of_bias += slope.sum(0)
            slope = slope.to(x.dtype)
            torch.mm(slope, weight, out=of_x[start : start + places])
            if of_weight is not None:
                of_weight.addmm_(slope.T, part) if wide == x.dtype else of_weight.add_(slope.T @ part)
        ctx.gradients = [
            of_x,
            None if of_weight is None else of_weight.to(weight.dtype),
            None if of_bias is None else of_bias.to(bias.dtype),
        ]
        return total

    @staticmethod
    def backward(ctx: Any, factor: Any) -> Any:
        found, ctx.gradients = ctx.gradients, None
        return *(None if each is None else each.mul_(factor) for each in found), None
