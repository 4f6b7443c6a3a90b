"""One rank of one case: the phases.

Started as `python -m benchspec.worker CASE_DIR` with torchrun's environment. It reads `case.json`, and all that it has
to say it appends to `rank-<n>.jsonl`; the last event of a rank that came to its end is `done`.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import resource
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from benchspec.cases.case import Case
from benchspec.kinds.bases import CASE_KINDS, Backend, Dataset, Method, Model, Recipe
from benchspec.kinds.registry import Registry
from benchspec.machine import nvml
from benchspec.machine.process import die_with_starter
from benchspec.results.events import EventLog
from benchspec.running import attempts
from benchspec.terms.errors import BenchspecError
from benchspec.terms.metrics import PHASES
from benchspec.worker import proof
from benchspec.worker.failure import first_line, outcome_of, reason_of

#: seconds that the other ranks get to come to the end too; less than the parent's patience, launch.GRACE
FAREWELL = 10


@dataclass
class Rank:
    """What a recipe is given as its job: one rank of one case, and the log of what happens there."""

    #: the `Case`, once it is read
    case: Any
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
    steps: proof.Steps = field(default_factory=proof.Steps)
    before: dict[str, Any] = field(default_factory=dict)
    device: Any = None
    joules: float | None = None

    def collate(self, rows: Sequence[Any]) -> dict[str, Any]:
        from benchspec.worker.data.prepare import collate

        return collate(rows, self.tokenizer.pad_token_id)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Mark a phase; one that is left by an exception stays open, and so says where it happened."""
        if name not in PHASES:
            raise ValueError(f"no phase is called '{name}' ({', '.join(PHASES)})")
        if name == "train":
            self._before_training()
        self._begin(name)
        if name == "train":
            self._begin("first-step")
        yield
        if name == "train":
            self._end(self.open[-1])
        self._end(name)
        if name == "train":
            self._log_energy()

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
        self.steps.add(loss, grad_norm, loss_tokens)
        counts = {"rows": rows, "tokens": tokens, "padded_tokens": padded_tokens, "loss_tokens": loss_tokens}
        losses = {"loss": proof.finite(loss), "grad_norm": proof.finite(grad_norm)}
        self.log.add("step", step=self.steps.count, **counts, **losses)
        if self.open[-1] == "first-step":
            self._end("first-step")
            self._begin("steady")
        return True

    def _before_training(self) -> None:
        """What is measured over training starts here, and outside of its time."""
        import torch

        self.before = proof.snapshot(self.model)
        self.joules = nvml.joules(_device_uuid())
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

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
    job = Rank(case=None, folder=folder, log=log, rank=rank, world=world)
    try:
        data = json.loads((folder / "case.json").read_text())
        invocation = data.pop("invocation")
        job.case = Case.from_json(data)
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
        _take_device()
    model, recipe = cast(Model, plugins["model"]), cast(Recipe, plugins["recipe"])
    with job.phase("data"):
        job.tokenizer = model.tokenizer()
        job.data = _prepared(job, cast(Dataset, plugins["dataset"]), recipe, invocation)
    with job.phase("build"):
        job.model = _built(job, model, cast(Method, plugins["method"]))
    trained = recipe.train(job)
    learnt = proof.learnt(job.model, job.before, job.steps)
    job.log.add("proof", **learnt, **job.backend.prove(job.model if trained is None else trained))
    _log_memory(job.log)


def _take_device() -> None:
    """Take this rank's accelerator; raises where the case would run on something else, and still look fine."""
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
    if here:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))


def _prepared(job: Rank, dataset: Dataset, recipe: Recipe, invocation: str) -> Any:
    """The token arrays, made by whichever process of this host comes first."""
    from benchspec.worker.data import prepare as data
    from benchspec.worker.data.encode import encoder_for

    length = job.case.train["max_length"]
    wanted = [job.case.dataset, dict(recipe.templates), length, encoder_for(job.tokenizer).identity]
    tokens = data.prepare(
        dataset,
        job.tokenizer,
        recipe.templates,
        length,
        request=hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16],
        invocation=invocation,
        pointers=attempts.run_dir(job.folder) / "data",
        cache=data.cache_folder(),
    )
    totals = {"rows": tokens.rows, "words": tokens.words, "tokens": tokens.tokens}
    job.log.add("data", **totals, planned_steps=recipe.steps(tokens.rows, job.case.train, job.world))
    return tokens


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
    if (dtypes := proof.dtypes(network)) != "float32":
        raise BenchspecError(f"the model's parameters are {dtypes}; Model.build must return float32")
    network = method.apply(network)
    parameters = {name: proof.numel(parameter) for name, parameter in network.named_parameters()}
    learning = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    shape = model.shape()
    share = method.share(shape) if shape else None
    job.log.add(
        "model",
        parameters=sum(parameters.values()),
        trainable_parameters=sum(count for name, count in parameters.items() if name in learning),
        dtype=dtypes,
        shape=asdict(shape) if shape else None,
        share=share and share._asdict(),
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
        raise BenchspecError(f"{type(network).__name__} has no {attention} attention: {first_line(error)}") from error


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


def _device_uuid() -> str | None:
    """The accelerator of this process, as NVML calls it."""
    import torch

    return (
        f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
        if torch.cuda.is_available()
        else None
    )


def _say_farewell(job: Rank) -> None:
    """Leave the process group in order: no rank tears it down while another still needs it."""
    from datetime import timedelta

    import torch.distributed as dist

    # gloo's threads would abort a rank that goes while another needs it; under NCCL there is nothing to wait for.
    if not (dist.is_available() and dist.is_initialized() and dist.get_backend() == "gloo"):
        return
    try:
        dist.monitored_barrier(timeout=timedelta(seconds=FAREWELL))
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
