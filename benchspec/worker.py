"""One rank of one case: the phases.

Started as `python -m benchspec.worker CASE_DIR` with torchrun's environment. It reads `case.json`, and all that it has
to say it appends to `rank-<n>.jsonl`; the last event of a rank that came to its end is `done`.
"""

from __future__ import annotations

import gc
import hashlib
import json
import math
import os
import resource
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from benchspec import nvml
from benchspec.errors import BenchspecError
from benchspec.events import EventLog
from benchspec.kinds import CASE_KINDS, Backend, Dataset, Method, Model, Recipe
from benchspec.metrics import PHASES
from benchspec.plan import Case
from benchspec.process import die_with_starter
from benchspec.registry import Registry

#: values of each parameter that are kept to see whether training changed it
SAMPLE = 64
#: seconds that the other ranks get to come to the end too
FAREWELL = 60


@dataclass
class Rank:
    """What a recipe is given as its job: one rank of one case, and the log of what happens there."""

    case: Case
    #: this attempt's folder
    folder: Path
    log: EventLog
    rank: int
    world: int
    model: Any = None
    tokenizer: Any = None
    data: Any = None
    backend: Any = None
    #: phases that have begun and not ended, the innermost last
    open: list[str] = field(default_factory=list)
    steps: int = 0
    all_finite: bool = True
    any_gradient: bool = False
    before: dict[str, Any] = field(default_factory=dict)
    joules: float | None = None

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Mark a phase; one that is left by an exception stays open, and so says where it happened."""
        if name not in PHASES:
            raise ValueError(f"no phase is called '{name}' ({', '.join(PHASES)})")
        self._begin(name)
        if name == "train":
            self.before = snapshot(self.model)
            self.joules = nvml.joules(_device_uuid())
            self._begin("first-step")
        yield
        if name == "train":
            self._end(self.open[-1])
            self._log_energy()
        self._end(name)

    def step(
        self,
        rows: int,
        tokens: int,
        padded_tokens: int,
        loss_tokens: int,
        loss: float,
        grad_norm: float | None,
    ) -> bool:
        """Report an optimizer step; True, since every case runs to its end as yet."""
        if "train" not in self.open:
            raise RuntimeError("the recipe reported a step outside of job.phase('train')")
        self.steps += 1
        counts = {"rows": rows, "tokens": tokens, "padded_tokens": padded_tokens, "loss_tokens": loss_tokens}
        self.log.add("step", step=self.steps, **counts, loss=_finite(loss), grad_norm=_finite(grad_norm))
        self.all_finite &= math.isfinite(loss)
        self.any_gradient |= bool(_finite(grad_norm))
        if self.open[-1] == "first-step":
            self._end("first-step")
            self._begin("steady")
        return True

    def _begin(self, name: str) -> None:
        self.open.append(name)
        self.log.add("begin", phase=name)

    def _end(self, name: str) -> None:
        self.open.remove(name)
        self.log.add("end", phase=name)

    def _log_energy(self) -> None:
        now = nvml.joules(_device_uuid())
        if now is not None and self.joules is not None:
            self.log.add("energy", joules=now - self.joules)


def main(folder: Path) -> None:
    """Run this rank; ends the process, since a group that aborts in its teardown must not undo what is done."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    log = EventLog(folder, rank)
    log.add("start", rank=rank, world=world, pid=os.getpid())
    data = json.loads((folder / "case.json").read_text())
    invocation = data.pop("invocation")
    job = Rank(case=Case.from_json(data), folder=folder, log=log, rank=rank, world=world)
    try:
        run(job, invocation)
        log.add("done")
    except BaseException as error:
        _tell_failure(job, error)
        _leave(1)
    _say_farewell(job)
    _leave(0)


def run(job: Rank, invocation: str) -> None:
    """The phases of a case; each hands on what the next one needs."""
    with job.phase("start"):
        registry = Registry.load()
        plugins = {kind: registry.create(kind, job.case.fields[kind]) for kind in CASE_KINDS}
        job.backend = cast(Backend, plugins["backend"])
        _check_devices()
        _set_precision(job.case.train)
    model, recipe = cast(Model, plugins["model"]), cast(Recipe, plugins["recipe"])
    with job.phase("data"):
        job.tokenizer = model.tokenizer()
        job.data = _prepared(job, cast(Dataset, plugins["dataset"]), recipe, invocation)
    with job.phase("build"):
        job.model = _built(job, model, cast(Method, plugins["method"]))
    trained = recipe.train(job)
    proof = {**_learnt(job), **job.backend.prove(job.model if trained is None else trained)}
    job.log.add("proof", **proof)
    _log_memory(job.log)


def _check_devices() -> None:
    """Raise where the case would run on something else than what is asked for, and still look fine."""
    import torch

    gpus = nvml.accelerators()
    if gpus and not torch.cuda.is_available():
        raise BenchspecError(
            f"the driver sees {len(gpus)} GPUs and torch {torch.__version__} sees none, so this would run on the CPU; "
            "install a torch built for this driver's CUDA, or set CUDA_VISIBLE_DEVICES= to mean the CPU"
        )
    local, here = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), torch.cuda.device_count()
    if 0 < here < local:
        raise BenchspecError(f"launcher.processes asks for {local} processes on a host with {here} GPUs")


def _set_precision(train: Mapping[str, Any]) -> None:
    """TF32 as asked, for recipes that do not see to it themselves."""
    import torch

    if torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = train["tf32"]
        torch.backends.cudnn.allow_tf32 = train["tf32"]


def _prepared(job: Rank, dataset: Dataset, recipe: Recipe, invocation: str) -> Any:
    """The token arrays, made by whichever process of this host comes first."""
    from benchspec import data

    length = job.case.train["max_length"]
    wanted = [invocation, job.case.dataset, dict(recipe.templates), length, data.encoder_for(job.tokenizer).identity]
    tokens = data.prepare(
        dataset,
        job.tokenizer,
        recipe.templates,
        length,
        request=hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16],
        pointers=job.folder.parents[3] / "data",
        cache=data.cache_folder(),
    )
    totals = {"rows": tokens.rows, "words": tokens.words, "tokens": tokens.tokens}
    job.log.add("data", **totals, planned_steps=planned_steps(tokens.rows, job.case.train, job.world))
    return tokens


def planned_steps(rows: int, train: Mapping[str, Any], world: int) -> int:
    """Optimizer steps as Trainer counts them: 612 for Alpaca, the last accumulation of an epoch a partial one."""
    batches = math.ceil(rows / (train["batch_size"] * world))
    steps = math.ceil(max(1, math.ceil(batches / train["gradient_accumulation"])) * train["epochs"])
    return int(train["max_steps"] or steps)


def _built(job: Rank, model: Model, method: Method) -> Any:
    """The network that learns, as the model makes it, from the case's seed."""
    from transformers import set_seed

    set_seed(job.case.train["seed"])
    with job.backend.building():
        network = model.build()
    _set_attention(network, job.case.train["attention"])
    if blocks := list(model.blocks):
        # What FSDP wraps by, unless told otherwise; the model need not know of it, nor the backend of the model.
        network._no_split_modules = blocks
    network = method.apply(network)
    parameters = {name: _numel(parameter) for name, parameter in network.named_parameters()}
    learning = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    shape = model.shape()
    job.log.add(
        "model",
        parameters=sum(parameters.values()),
        trainable_parameters=sum(count for name, count in parameters.items() if name in learning),
        dtype=_dtypes(network),
        shape=asdict(shape) if shape else None,
        precision=job.case.train["precision"],
        tf32=job.case.train["tf32"],
        method=job.case.method["name"],
    )
    return network


def _set_attention(network: Any, attention: str) -> None:
    if attention == "auto":
        return
    if not hasattr(network, "set_attn_implementation"):
        raise BenchspecError(f"{type(network).__name__} has one attention only; leave train.attention on auto")
    try:
        network.set_attn_implementation(attention)
    except ValueError as error:
        raise BenchspecError(f"{type(network).__name__} has no {attention} attention: {_first_line(error)}") from error


def snapshot(network: Any) -> dict[str, Any]:
    """A few values of this rank's part of every parameter that learns."""
    return {
        name: _sample(local)
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and (local := _local(parameter)).numel()
    }


def _sample(local: Any) -> Any:
    flat = local.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // SAMPLE)].clone()


def _local(parameter: Any) -> Any:
    """This rank's part of a parameter: ZeRO-3 keeps it in `ds_tensor`, FSDP2 in a DTensor."""
    part = getattr(parameter, "ds_tensor", parameter)
    return part.to_local() if hasattr(part, "to_local") else part


def _numel(parameter: Any) -> int:
    """Elements of the whole parameter, of which ZeRO-3 leaves only a part in place."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def _dtypes(network: Any) -> str:
    return ", ".join(sorted({str(parameter.dtype).removeprefix("torch.") for parameter in network.parameters()}))


def _learnt(job: Rank) -> dict[str, Any]:
    """Proof that the model learnt: a throughput is worth nothing without. Raises `RuntimeError` where it did not."""
    if not job.steps:
        raise RuntimeError("the recipe reported no optimizer step")
    if not job.all_finite:
        raise RuntimeError("the loss was not finite in at least one step, so the model did not learn")
    if not job.any_gradient:
        raise RuntimeError("the gradient was zero, or never reported, in every step, so the model did not learn")
    after = snapshot(job.model)
    if broken := next((name for name, value in after.items() if not bool(value.isfinite().all())), None):
        raise RuntimeError(f"training left values in {broken} that are not finite, so the model did not learn")
    changed = sum(not bool((after[name] == value).all()) for name, value in job.before.items() if name in after)
    if job.before and not changed:
        raise RuntimeError("training changed no parameter, so the model did not learn")
    return {
        "finite_losses": True,
        "grad_norm_nonzero": True,
        "parameters_changed": changed,
        "parameters_checked": len(job.before),
        "dtype": _dtypes(job.model),
    }


def _log_memory(log: EventLog) -> None:
    """The peaks of this process: allocated and reserved on its accelerator, resident on the host."""
    import torch

    gpu = torch.cuda.is_available()
    # The kernel counts kibibytes, macOS bytes.
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    log.add(
        "memory",
        allocated=torch.cuda.max_memory_allocated() if gpu else None,
        reserved=torch.cuda.max_memory_reserved() if gpu else None,
        host=host,
    )


def _tell_failure(job: Rank, error: BaseException) -> None:
    """Write down what went wrong, the most important first: memory or disk may be full."""
    for tell in (_log_failure, _show, lambda job, _: _log_memory(job.log)):
        with suppress(Exception):
            tell(job, error)


def _log_failure(job: Rank, error: BaseException) -> None:
    job.log.add(
        "failure",
        outcome=outcome_of(error),
        phase=job.open[-1] if job.open else "train",
        reason=reason_of(error),
        mistake=isinstance(error, BenchspecError),
    )


def _show(job: Rank, error: BaseException) -> None:
    """The error in the log: a line for a mistake, a traceback for anything else."""
    if isinstance(error, BenchspecError):
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
    else:
        traceback.print_exception(error)


def outcome_of(error: BaseException) -> str:
    """`oom`, `hang` or `crash`, by what was raised."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or any(sign in text for sign in _OUT_OF_MEMORY):
        return "oom"
    if any(sign in text for sign in _TIMED_OUT):
        return "hang"
    return "crash"


#: what torch, cuBLAS, NCCL and the CPU's allocator say when memory is used up
_OUT_OF_MEMORY = (
    "OutOfMemoryError",
    "out of memory",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)
#: what gloo and NCCL say when another rank did not come to a collective in time
_TIMED_OUT = ("Timed out waiting", "collective operation timeout", "Watchdog caught")


def reason_of(error: BaseException) -> str:
    """The error in a sentence."""
    if isinstance(error, BenchspecError):
        return _first_line(error)
    return f"{type(error).__name__}: {_first_line(error)}"[:500]


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _device_uuid() -> str | None:
    """The accelerator of this process, as NVML calls it."""
    import torch

    return f"GPU-{torch.cuda.get_device_properties().uuid}" if torch.cuda.is_available() else None


def _say_farewell(job: Rank) -> None:
    """Leave the process group in order: no rank tears it down while another still needs it."""
    from datetime import timedelta

    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return
    try:
        dist.monitored_barrier(timeout=timedelta(seconds=FAREWELL)) if dist.get_backend() == "gloo" else dist.barrier()
        job.model = job.backend = None
        gc.collect()
        dist.destroy_process_group()
    except Exception:
        traceback.print_exc()


def _leave(code: int) -> None:
    """End at once: a rank that failed must not wait for the others in a collective, which would last half an hour."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    die_with_starter()
    main(Path(sys.argv[1]))
