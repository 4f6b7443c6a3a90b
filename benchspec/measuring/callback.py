"""A callback that measures a script with `transformers.Trainer`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from benchspec.cases.case import Case
from benchspec.measuring import group
from benchspec.measuring.session import Session
from benchspec.measuring.training import case_of, described, model_settings, trainer_settings
from benchspec.worker import device

#: the last training that a callback of this process has begun in each folder
_LAST: dict[Path, Session] = {}


class Measure(TrainerCallback):
    """Measures a training of `transformers.Trainer`: `Trainer(..., callbacks=[Measure("runs/mine")])`.

    `folder` becomes a run directory for `benchspec report`, `compare` and `history`; each training adds a launch to it,
    or another case where its settings differ. `name` names the benchmark, by default after the folder. Raises
    `BenchspecError` at once if the folder cannot be used. docs/trainer.md says what is measured.
    """

    def __init__(self, folder: str | Path, *, name: str | None = None):
        self._session = Session(folder, name)
        #: a step that has ended and is not written yet: its moment, rows and tokens; its loss may follow
        self._step: dict[str, Any] | None = None
        #: the last step whose loss Trainer has logged
        self._logged = 0
        #: micro-batches of the step so far, and of the epoch
        self._batches = self._of_epoch = 0
        #: micro-batches of an epoch, and rows of its last one; None if that is not known
        self._epoch: tuple[int, int] | None = None
        self._tokens = 0
        #: micro-batches that a training which goes on from a checkpoint leaves out of its first epoch
        self._skipped = 0
        #: rows of a micro-batch of this rank
        self._batch = 0
        #: when the last thing of a step ended
        self._since = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        loader = kwargs.get("train_dataloader")
        rows = _length(getattr(loader, "dataset", None))
        # Trainer may have found out that the batch size of its arguments does not fit (`auto_find_batch_size`).
        self._batch = int(state.train_batch_size or args.train_batch_size)
        self._epoch = _epoch(loader, args, rows, self._batch)
        self._logged, self._tokens = state.global_step, state.num_input_tokens_seen
        # Trainer tells a callback nothing of an exception, and this process would wait for its own lock.
        if earlier := _LAST.get(self._session.folder):
            earlier.supersede()
        _LAST[self._session.folder] = self._session
        self._skipped = _skipped(self._epoch, args, state.global_step)
        resumed = {"resumed_at": state.global_step} if state.global_step else {}
        settings = {**trainer_settings(args), "batch_size": self._batch, **resumed}
        recorder = self._session.begin(lambda: _case(model, rows, settings), model)
        recorder.add("data", rows=rows, words=None, tokens=None, planned_steps=state.max_steps)
        recorder.add("model", **described(model, precision=settings["precision"], tf32=settings["tf32"]))

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._of_epoch, self._skipped = self._skipped, 0

    def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._batches += 1
        self._of_epoch += 1

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._write_step()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._batches += 1
        self._of_epoch += 1
        # An accelerator works on while Python goes on; without this, a step would end when it was asked for.
        device.finish_work()
        self._since = time.monotonic()
        self._step = {
            "number": state.global_step,
            "at": self._since,
            "rows": self._rows(),
            **self._seen(args, state),
        }
        self._batches = 0
        if not control.should_log:
            self._pause(control)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        recorder, loss = self._session.recorder, (logs or {}).get("loss")
        if recorder is None or loss is None:
            return
        norm = logs.get("grad_norm")
        if self._step and self._step["number"] - self._logged == 1:
            self._step |= {"loss": float(loss), "grad_norm": None if norm is None else float(norm)}
        else:
            # The mean over several steps is no step's loss, but it shows whether the model learns.
            recorder.saw(float(loss), None if norm is None else float(norm))
        self._logged = state.global_step
        self._since = time.monotonic()
        self._pause(control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._since = time.monotonic()
        if not control.should_log:
            self._pause(control)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        recorder = self._session.recorder
        if recorder:
            recorder.leave("evaluate")
            self._since = time.monotonic()
            if control.should_save:
                recorder.enter("save")

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        recorder = self._session.recorder
        if recorder:
            self._write_step()
            if not recorder.is_in("save"):
                # Whether to save can depend on an evaluation, so that nothing says when it begins.
                recorder.enter("save", at=self._since)
            recorder.leave("save")

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._write_step()
        self._session.end()

    def _pause(self, control: Any) -> None:
        """Trainer evaluates or saves now, if it does: neither is a part of a step."""
        recorder = self._session.recorder
        if recorder and (control.should_evaluate or control.should_save):
            self._write_step()
            recorder.enter("evaluate" if control.should_evaluate else "save")

    def _write_step(self) -> None:
        recorder, step = self._session.recorder, self._step
        self._step = None
        if recorder and step:
            step.pop("number")
            recorder.step(**step)

    def _rows(self) -> int:
        """The rows of this rank's step: whole micro-batches, but for the last one of an epoch."""
        rows = self._batches * self._batch
        if self._epoch and self._of_epoch == self._epoch[0]:
            rows += self._epoch[1] - self._batch
        return rows

    def _seen(self, args: Any, state: Any) -> dict[str, int]:
        """The tokens of the step, where Trainer counts them, for all ranks together: rank 0 has them all."""
        before, self._tokens = self._tokens, state.num_input_tokens_seen
        counted = str(args.include_num_input_tokens_seen)
        key = {"non_padding": "tokens", "all": "padded_tokens", "True": "padded_tokens"}.get(counted)
        recorder = self._session.recorder
        if key is None or recorder is None:
            return {}
        return {key: self._tokens - before if recorder.rank == 0 else 0}


def _length(found: Any) -> int | None:
    try:
        return len(found)
    except TypeError:
        return None


def _epoch(loader: Any, args: Any, rows: int | None, batch: int) -> tuple[int, int] | None:
    """How many micro-batches an epoch has on this rank, and the rows of its last one; None where that is not known."""
    batches = _length(loader)
    if args.world_size > 1 or args.dataloader_drop_last or batches is None or rows is None:
        # Over several ranks, accelerate fills the last micro-batch with rows from the beginning.
        return None
    return batches, rows % batch or batch


def _skipped(epoch: tuple[int, int] | None, args: Any, step: int) -> int:
    """Micro-batches of an epoch that were trained on before, if training goes on after this step."""
    if epoch is None or args.ignore_data_skip:
        return 0
    each = int(args.gradient_accumulation_steps)
    return step % -(-epoch[0] // each) * each


def _case(model: Any, rows: int | None, settings: Mapping[str, Any]) -> Case:
    from accelerate.state import AcceleratorState  # type: ignore[import-untyped]

    backend = str(AcceleratorState().distributed_type.value).lower()
    return case_of(model_settings(model), {"name": "own", "rows": rows}, settings, backend, group.place()[1])
