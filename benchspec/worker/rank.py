"""`Rank`: one rank of one case, the `benchspec.Job` that is passed to a recipe, with its event log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchspec.results.events import EventLog
from benchspec.terms.outcomes import FIRST_STEP, RECIPE_PHASES, STEADY, STEP_PHASES
from benchspec.worker import arithmetic, device, proof, reported

if TYPE_CHECKING:
    import torch

    from benchspec.cases.case import Case
    from benchspec.kinds.bases import Backend
    from benchspec.kinds.values import Shape
    from benchspec.worker.profiling import Profiler
    from benchspec.worker.sampling import Sampler


class Rank:
    """A `Job` that is filled in phase by phase, and the measurements taken while it trains."""

    #: from phase `start`
    case: Case
    backend: Backend
    device: torch.device
    #: from phase `data`
    tokenizer: Any
    data: Any
    #: from phase `build`, in the training or evaluation mode that `Model.build` returned it in
    model: Any
    #: the model's, if it is known
    shape: Shape | None = None

    def __init__(self, folder: Path, log: EventLog, rank: int, world: int):
        self.folder = folder
        self.log = log
        self.rank = rank
        self.world = world
        #: the top-level modules of the installed plugins, once they are known
        self.packages: set[str] = set()
        #: phases that have begun and not ended, the innermost last
        self.open: list[str] = []
        #: whether its data set has made rows, which may have taken more memory than training does
        self.made_rows = False
        #: whether it has left its process group
        self.left = False
        self.steps = proof.Steps()
        #: decides when a sampled measurement has seen enough; None if every step runs
        self.sampler: Sampler | None = None
        #: whether `step` has answered False: no further step may come
        self.stopped = False
        #: looks at some steps; None unless that was asked for
        self.profiler: Profiler | None = None
        #: some values of each parameter when training began
        self.before: dict[str, Any] = {}
        #: what the first step computed in: `dtype`, `tf32`
        self.arithmetic: dict[str, Any] = {"dtype": None, "tf32": False}
        self._watch: arithmetic.Watch | None = None
        #: the accelerator's energy counter when training began
        self._joules: float | None = None

    def collate(self, rows: Sequence[Any]) -> dict[str, Any]:
        """A batch of rows, padded on the right; see `Job.collate`."""
        from benchspec.worker.data.batches import collate, padding_token

        return collate(rows, padding_token(self.tokenizer))

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Mark a phase of the recipe's; see `Job.phase`."""
        if name not in RECIPE_PHASES:
            raise ValueError(f"'{name}' is no phase of a recipe ({', '.join(RECIPE_PHASES)})")
        return self.within(name)

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Mark a phase; after an exception it stays open, which shows where the exception was raised."""
        if name == "train":
            self._before_training()
        self.begin(name)
        if name == "train":
            self.begin(FIRST_STEP)
        yield
        if name == "train":
            device.finish_work()
        self._end(name)
        if name == "train":
            self._log_energy()
            self.log.add("memory", **device.memory_peaks())

    def step(
        self,
        rows: int,
        tokens: int,
        padded_tokens: int,
        loss_tokens: int,
        loss: float,
        grad_norm: float | None,
        *,
        block_tokens: int | None = None,
        head_tokens: int | None = None,
    ) -> bool:
        """Report an optimizer step; see `Job.step`. False once a sampled measurement knows enough."""
        if "train" not in self.open:
            raise RuntimeError("the recipe reported a step outside of job.phase('train')")
        if self.stopped:
            raise RuntimeError("the recipe went on after job.step had answered False: enough is known of its steps")
        counts = {"rows": rows, "tokens": tokens, "padded_tokens": padded_tokens, "loss_tokens": loss_tokens}
        known = {"loss": loss} if grad_norm is None else {"loss": loss, "grad_norm": grad_norm}
        computed = {"block_tokens": block_tokens, "head_tokens": head_tokens}
        computed = {name: count for name, count in computed.items() if count is not None}
        reported.check(self.case.recipe["name"], counts, known, computed)
        self._leave_saves()
        self.steps.add(grad_norm)
        if self.steps.count == 1:
            self._prove_arithmetic()
        losses = {"loss": proof.finite(loss), "grad_norm": proof.finite(grad_norm)}
        self.log.add("step", step=self.steps.count, **counts, **computed, **losses)
        try:
            proof.check_step(self.steps.count, loss, grad_norm, loss_tokens)
        except RuntimeError:
            # Whether the model learns is told of the training as a whole.
            self._end(self.open[-1])
            raise
        if self.open[-1] == FIRST_STEP:
            self._end(FIRST_STEP)
            self.begin(STEADY)
        if self.profiler:
            self.profiler.step()
        return self._go_on()

    def _go_on(self) -> bool:
        """Whether more steps have to run."""
        if self.sampler is None:
            return True
        known = self.sampler.step()
        if known and self.rank == 0:
            self.log.add("sampled", **known)
        self.stopped = known is not None
        return not self.stopped

    def save_due(self, step: int) -> bool:
        """Whether a checkpoint is to be saved after this step; see `Job.save_due`."""
        every = (self.case.train["save"] or {}).get("every")
        if not every:
            return False
        return step % int(every) == 0 or (self.sampler is not None and self.sampler.saves_early())

    def progress(self, done: int, total: int) -> None:
        """Tell how many rows are made, and how many there will be; see `Dataset.progress`."""
        self.made_rows = True
        self.log.add("progress", done=done, total=total)

    def release(self) -> None:
        """Let go of the network and all that may hold it, and of the accelerator's memory."""
        for name in ("model", "backend"):
            self.__dict__.pop(name, None)
        self._watch = None
        device.free_memory()

    def _leave_saves(self) -> None:
        """End a save that an exception has left open, and that the recipe can do without."""
        while self.open[-1] not in STEP_PHASES:
            self._end(self.open[-1])

    def _before_training(self) -> None:
        """Record parameters, energy and memory before training, outside the phase's time."""
        self.before = proof.snapshot(self.model, self.backend.local)
        self._watch = self._watch or arithmetic.Watch(self.model)
        device.finish_work()
        device.reset_memory_peaks()
        self._joules = device.joules(self.device)

    def _prove_arithmetic(self) -> None:
        """Record what the first step computed in; raises if that is not the case's precision."""
        assert self._watch
        self._watch.stop_if_idle()
        self.arithmetic = {"dtype": self._watch.dtype, "tf32": self._watch.tf32(self.device)}
        self.log.add("arithmetic", **self.arithmetic)
        if self._watch.dtype:
            arithmetic.check(self._watch.dtype, self.case.train["precision"])

    def _log_energy(self) -> None:
        now = device.joules(self.device)
        if now is not None and self._joules is not None:
            self.log.add("energy", joules=now - self._joules)

    def begin(self, name: str) -> None:
        """Note that a phase begins."""
        self.open.append(name)
        self.log.add("begin", phase=name)
        if self.sampler:
            self.sampler.enter(name)

    def _end(self, name: str) -> None:
        """End a phase and the phases still open within it, innermost first."""
        while name in self.open:
            ended = self.open.pop()
            self.log.add("end", phase=ended)
            if self.sampler:
                self.sampler.leave(ended)
