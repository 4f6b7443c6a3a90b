"""TRL's SFTTrainer as a recipe, with the rows and the template of `alpaca`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from benchspec import Job, Recipe, hookimpl
from benchspec_plugins.recipes.alpaca import Alpaca, Phases, arguments, build_trainer, count_padded


class TRL(Alpaca):
    """The process of `alpaca` on TRL's `SFTTrainer`: padded, padding-free or packed.

    Rows, order, template, optimizer and schedule are those of `alpaca`. Without padding, rows are told apart by their
    positions alone, which not every model looks at: compare the losses with those of `padded`.
    """

    name = "trl"
    options_schema = {
        "properties": {
            "batches": {
                "enum": ["padded", "padding-free", "packed"],
                "default": "padded",
                "description": "padded: rows padded to the longest, as in the paper; padding-free: the same rows in "
                "one sequence; packed: sequences of up to train.max_length tokens, into which TRL fits rows",
            }
        }
    }

    @property
    def rows_vary(self) -> bool:  # type: ignore[override]
        return bool(self.options["batches"] == "packed")

    def missing(self, online: bool) -> list[str]:
        return [] if find_spec("trl") else ["the recipe 'trl' needs TRL: pip install trl"]

    def steps(self, rows: int, train: Mapping[str, Any], ranks: int) -> int | None:  # type: ignore[override]
        """Those of `alpaca`; not known where rows are packed, but for `max_steps`."""
        return train["max_steps"] if self.rows_vary else super().steps(rows, train, ranks)

    def workload(self, lengths: Any, train: Mapping[str, Any], ranks: int) -> Any:
        """That of `alpaca` for the same batches."""
        return super().workload(lengths, train, ranks) if self.options["batches"] == "padded" else None

    def trainer(self, job: Job, phases: Phases) -> Any:
        from trl import SFTConfig, SFTTrainer

        batches = self.options["batches"]
        own = {
            "padding_free": batches == "padding-free",
            "packing": batches == "packed",
            "max_length": job.case.train["max_length"] if batches == "packed" else None,
            # Without it, TRL would drop rows whose labels are all left out.
            "dataset_kwargs": {"skip_prepare_dataset": batches != "packed"},
        }
        config = SFTConfig(**arguments(job), **own)
        data = {"train_dataset": _dataset(job.data)}
        count = count_padded if batches == "padded" else count_joined
        return build_trainer(job, phases, SFTTrainer, config, data, count)


def _dataset(rows: Any) -> Any:
    """benchspec's rows as a data set of TRL's form."""
    from datasets import Dataset

    found = [rows[place] for place in range(len(rows))]
    ids = [row["input_ids"].tolist() for row in found]
    labels = [[-100] * row["prompt"] + each[row["prompt"] :] for row, each in zip(found, ids, strict=True)]
    return Dataset.from_dict({"input_ids": ids, "labels": labels})


def count_joined(inputs: Mapping[str, Any]) -> tuple[int, int, Any, Any]:
    """Rows, positions, tokens and labelled tokens of a micro-batch in which each row begins at position 0."""
    positions, labels = inputs["position_ids"], inputs["labels"]
    # The first token of a row has no label here.
    return int(positions.eq(0).sum()), positions.numel(), positions.numel(), labels[:, 1:].ne(-100).sum()


@hookimpl
def benchspec_register() -> list[type[Recipe]]:
    return [TRL]
