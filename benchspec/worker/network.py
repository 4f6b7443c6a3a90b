"""The network of a case: built by its model, changed by its method, and described in the event `model`."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from benchspec.kinds.faults import returned, shape_of, share_of
from benchspec.kinds.values import Share
from benchspec.terms.attention import ON_GPUS
from benchspec.terms.errors import BenchspecError
from benchspec.worker import proof
from benchspec.worker.failure import first_line

if TYPE_CHECKING:
    from benchspec.kinds.bases import Method, Model
    from benchspec.kinds.values import Shape
    from benchspec.worker.rank import Rank


def build(job: Rank, model: Model, method: Method) -> Any:
    """The network to train or to ask, in the training or evaluation mode that the model returns it in."""
    import torch
    from transformers import set_seed

    seed = job.case.train["seed"]
    set_seed(seed)
    # Without training, nothing is spread over processes.
    with job.backend.building() if method.trains else nullcontext():
        network = returned(model.build, model.build(), torch.nn.Module, "a torch.nn.Module")
    _check_dtype(network)
    set_attention(network, job.case.train["attention"], job.device.type)
    _set_blocks(network, model)
    size = sum(map(job.backend.numel, network.parameters()))
    # The method's random numbers must not depend on how many the building used: with `pretrained` weights, or on the
    # meta device, it uses none.
    set_seed(seed)
    network = returned(method.apply, method.apply(network), torch.nn.Module, "a torch.nn.Module")
    _describe(job, network, model, method, size)
    if method.trains and job.case.train.get("compile"):
        _compile(network)
    return network


def _check_dtype(network: Any) -> None:
    if (dtypes := proof.dtypes(network)) != "float32":
        raise BenchspecError(f"the model's parameters are {dtypes}; Model.build must return float32")


def set_attention(network: Any, attention: str, device: str) -> None:
    """Choose the implementation of attention on a type of device; raises `BenchspecError` if there is no such one."""
    if attention == "auto":
        return
    if attention in ON_GPUS and device == "cpu":
        raise BenchspecError(f"{attention} attention is trained on GPUs only, and this is a CPU; set train.attention")
    if not hasattr(network, "set_attn_implementation"):
        raise BenchspecError(f"{type(network).__name__} has only one attention; set train.attention to auto")
    try:
        network.set_attn_implementation(ON_GPUS.get(attention, attention))
    except (ValueError, ImportError) as error:
        raise BenchspecError(f"{type(network).__name__} has no {attention} attention: {first_line(error)}") from error


def _set_blocks(network: Any, model: Model) -> None:
    """Tell backends which blocks to shard by, if the model names them."""
    if blocks := list(model.blocks):
        network._no_split_modules = blocks


#: the share by which a model's size may differ from what its shape says
ROUNDING = 0.01

#: kinds of inputs that blocks are compiled for, such as batches of one row and of several
KINDS = 64


def _compile(network: Any) -> None:
    """Compile each block when it is first called, for any length, so that a new one compiles nothing anew."""
    import torch
    import torch._dynamo

    names = set(getattr(network, "_no_split_modules", None) or ())
    blocks = [module for module in network.modules() if type(module).__name__ in names]
    if not blocks:
        raise BenchspecError(f"train.compile: {type(network).__name__} does not say which modules are its blocks")
    # A block's code is that of all others: torch would give up after 8 kinds of inputs, and say so in its log only.
    torch._dynamo.config.recompile_limit = KINDS
    for block in blocks:
        block.compile(dynamic=True)


def _plain(share: Share) -> dict[str, int]:
    return {name: count for name, count in share._asdict().items() if name != "added" or count}


def _describe(job: Rank, network: Any, model: Model, method: Method, size: int) -> None:
    """Write the event `model`: the size of the network, and how much of it is trained.

    `size` is the number of its parameters without those that the method has added.
    """
    from transformers.utils.import_utils import is_torch_tf32_available

    parameters = {name: job.backend.numel(parameter) for name, parameter in network.named_parameters()}
    learning = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    shape = shape_of(model)
    warning = _other_size(model, shape, size) if shape else None
    # FLOPs from a wrong size would be wrong in silence.
    shape = job.shape = None if warning else shape
    share = share_of(method, shape) if shape else None
    job.log.add(
        "model",
        parameters=sum(parameters.values()),
        trainable_parameters=sum(count for name, count in parameters.items() if name in learning),
        dtype=proof.dtypes(network),
        shape=shape.to_json() if shape else None,
        share=share and _plain(share),
        precision=job.case.train["precision"],
        tf32=job.case.train["tf32"] and is_torch_tf32_available(),
        method=job.case.method["name"],
        warning=warning,
    )


def _other_size(model: Model, shape: Shape, size: int) -> str | None:
    """A warning if the network has not the size that the model says, within rounding; None if it has."""
    # transformers leaves a head apart that should be tied, where a checkpoint has weights for both.
    heads = (0, shape.vocabulary * shape.hidden) if shape.tied_head else (0,)
    if any(abs(shape.parameters + head - size) <= ROUNDING * size for head in heads):
        return None
    told, built = f"{shape.parameters:,}", f"{size:,}"
    return f"shape() of the model '{model.name}' says {told} parameters, and the network has {built}: MFU is left out"
