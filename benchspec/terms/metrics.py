"""The table of metrics: for each its unit, its direction and its formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchspec.terms.outcomes import PHASES


@dataclass(frozen=True)
class Metric:
    """A quantity that is measured for each case."""

    id: str
    unit: str
    #: whether lower or higher is better; None: neither
    direction: Literal["lower", "higher"] | None
    #: how it is computed, in a sentence
    formula: str
    #: for the headings of tables
    label: str


_ALL_RANKS = "from when the last rank enters it until the last rank leaves it"
_STEADY = (
    "over the steps after the warm-up, from the end of the last warm-up step to the end of the last step, "
    "saves are left out"
)
_STEP_TIMES = (
    "the times of full steps after the warm-up; a step lasts from the end of the previous step to its own end, "
    "each on its slowest rank, saves are left out"
)
_TABLE = (
    Metric(
        "train_runtime",
        "s",
        "lower",
        f"Time in the train phase, {_ALL_RANKS}; saves are included. Where a training is sampled, the steps that did "
        "not run are added as projected.",
        "train time",
    ),
    Metric(
        "wall_time",
        "s",
        "lower",
        "Time from the start of the process group to its end, without what its launcher prepared for later cases too.",
        "wall time",
    ),
    *(
        Metric(f"phase_{phase}", "s", "lower", f"Time in the phase {phase}, {_ALL_RANKS}.", f"{phase} phase")
        for phase in PHASES
    ),
    Metric("steps", "steps", None, "Optimizer steps that every rank has finished.", "steps"),
    Metric(
        "planned_steps",
        "steps",
        None,
        "Optimizer steps that the recipe expected for these rows and settings.",
        "planned steps",
    ),
    Metric(
        "warmup_steps", "steps", None, "First steps that a sampled measurement does not project from.", "warm-up steps"
    ),
    Metric("warmup_time", "s", "lower", "Time of these steps.", "warm-up"),
    Metric("rows_per_second", "rows/s", "higher", f"Rows of all ranks per second, {_STEADY}.", "rows/s"),
    Metric("tokens_per_second", "tokens/s", "higher", f"Real tokens of all ranks per second, {_STEADY}.", "tokens/s"),
    Metric(
        "padded_tokens_per_second",
        "tokens/s",
        "higher",
        f"Tokens of all ranks per second, padding included, {_STEADY}.",
        "padded tokens/s",
    ),
    Metric(
        "loss_tokens_per_second",
        "tokens/s",
        "higher",
        f"Labelled tokens of all ranks per second, {_STEADY}.",
        "loss tokens/s",
    ),
    Metric("step_time_mean", "s", "lower", f"Mean of {_STEP_TIMES}; 95% interval by batch means.", "step mean"),
    Metric("step_time_p50", "s", "lower", f"Median of {_STEP_TIMES}.", "step p50"),
    Metric("step_time_p95", "s", "lower", f"95th percentile, interpolated, of {_STEP_TIMES}.", "step p95"),
    Metric("step_time_p99", "s", "lower", f"99th percentile, interpolated, of {_STEP_TIMES}.", "step p99"),
    Metric(
        "mfu",
        "fraction",
        "higher",
        "tokens_per_second × FLOPs per token / (ranks × dense peak FLOP/s of the precision). FLOPs per token, in full "
        "fine-tuning: 6 × parameters in matrix products + 12 × layers × hidden size × mean tokens per row.",
        "MFU",
    ),
    Metric(
        "hfu",
        "fraction",
        "higher",
        "As mfu, but of what was computed: padding counts, activation checkpointing's second forward pass of the "
        "blocks too, and what a recipe leaves out does not.",
        "HFU",
    ),
    Metric(
        "attained",
        "fraction",
        "higher",
        "As mfu, with the matrix products that the ranks measured (measure.ceilings) in the place of the peak.",
        "% of attainable",
    ),
    Metric(
        "peak_memory_allocated",
        "bytes",
        "lower",
        "Peak memory of tensors on an accelerator during training, on the rank with the most.",
        "peak memory",
    ),
    Metric(
        "peak_memory_reserved",
        "bytes",
        "lower",
        "Peak memory that the allocator reserved on an accelerator during training, on the rank with the most.",
        "reserved memory",
    ),
    Metric(
        "host_peak_memory",
        "bytes",
        "lower",
        "Peak resident memory of a process, on the rank with the most.",
        "peak host memory",
    ),
    Metric("energy", "J", "lower", "Energy of all ranks' accelerators over the train phase.", "energy"),
    Metric("cost", "currency of the price", "lower", "wall_time / 3600 × the machine's price per hour.", "cost"),
    Metric(
        "first_loss",
        "nats/token",
        None,
        "Loss of the first step, the mean over the labelled tokens of all ranks.",
        "first loss",
    ),
    Metric(
        "final_loss",
        "nats/token",
        "lower",
        "Loss of the last 10 steps, or of all if there are fewer: the mean over their labelled tokens of all ranks.",
        "final loss",
    ),
    Metric(
        "first_token_time",
        "s",
        "lower",
        "Time from when a batch of prompts is given to the model until it has the first token of each answer, the "
        "median over prompts.",
        "first token",
    ),
    Metric(
        "generated_tokens_per_second",
        "tokens/s",
        "higher",
        "Tokens of all answers per second of answering; the one that ends an answer counts.",
        "generated tokens/s",
    ),
    Metric(
        "query_peak_memory",
        "bytes",
        "lower",
        "Peak memory of the process that loads and asks the model: of tensors on an accelerator, without one resident.",
        "query memory",
    ),
    Metric("dataset_rows", "rows", None, "Rows of the data set; a row drawn twice counts twice.", "data rows"),
    Metric("dataset_words", "words", None, "Words in the data set's rows, without the template.", "data words"),
    Metric("dataset_tokens", "tokens", None, "Tokens in the data set's rows, without the template.", "data tokens"),
    Metric("parameters", "parameters", None, "Parameters of the network; a tied head counts once.", "parameters"),
    Metric("trainable_parameters", "parameters", None, "Parameters that are trained.", "trainable parameters"),
)
#: every metric by its id
METRICS: Mapping[str, Metric] = {metric.id: metric for metric in _TABLE}
#: the metrics that a report's tables show, as many of them as have room
SHOWN = (
    "train_runtime",
    "rows_per_second",
    "first_token_time",
    "generated_tokens_per_second",
    "mfu",
    "attained",
    "peak_memory_allocated",
    "host_peak_memory",
    "final_loss",
    "cost",
    "tokens_per_second",
    "step_time_p50",
    "energy",
)


def is_count(metric: str) -> bool:
    """Whether a metric counts things, which no machine changes: rows, words, tokens, steps, parameters."""
    return METRICS[metric].unit in ("rows", "words", "tokens", "steps", "parameters")
