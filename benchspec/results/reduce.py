"""The events of a case -> its metrics.

The events may end anywhere, because processes get killed. A metric that the remaining events do not determine is left
out, never guessed: a sum over ranks if a rank is missing, and the time of a phase that a rank did not finish.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchspec.kinds.values import Facts, flops_computed, flops_per_token
from benchspec.results.clocks import offsets, overall, spans
from benchspec.results.events import Event
from benchspec.results.stats import mean_interval, percentile
from benchspec.results.steps import Ranks, Step, group_size, of_kind, rows_of_full_step
from benchspec.terms.metrics import METRICS
from benchspec.terms.outcomes import PHASES


class Reduced(NamedTuple):
    """The metrics of a case; unknown ones are absent."""

    #: metric id -> number in the metric's unit
    metrics: dict[str, float]
    #: metric id -> `projected`, for metrics that were not measured
    basis: dict[str, str]
    #: metric id -> [low, high], the 95% confidence interval
    intervals: dict[str, list[float]]


#: steps whose mean loss is `final_loss`
LAST_STEPS = 10


def reduce(
    ranks: Ranks,
    steps: Sequence[Step],
    train: Mapping[str, Any],
    *,
    warmup_steps: int | None,
    facts: Facts,
    wall_time: float,
) -> Reduced:
    """The metrics of a case whose process group ran for `wall_time` seconds.

    `steps` are the ranks' together; `train` are the fields of the case's `train`; `warmup_steps` is
    `measure.warmup_steps`.
    """
    sampled = _first(ranks, "sampled")
    found = sampled["warmup_steps"] if sampled else warmup_of(len(steps))
    warm_up = found if warmup_steps is None else warmup_steps
    steady = [step for step in steps if step.step > warm_up and step.seconds is not None]
    full = rows_of_full_step(ranks, train)
    times = _times([step for step in steady if full is None or step.rows == full])
    data = _first(ranks, "data")
    known = {
        **_phase_times(ranks),
        **_warm_up(sampled),
        **_costs(facts, wall_time),
        "steps": len(steps) if _first(ranks, "step") else None,
        "planned_steps": data["planned_steps"] if data else None,
        **_rates(steady),
        **_step_times(times),
        **_utilisation(ranks, steady, facts, bool(train.get("activation_checkpointing"))),
        **_memory(ranks),
        "energy": _energy(ranks),
        "first_loss": _first_loss(ranks),
        "final_loss": _final_loss(steps),
        **_answering(ranks),
        **_counts(ranks),
    }
    metrics = {id: value for id in METRICS if (value := known.get(id)) is not None and math.isfinite(value)}
    interval = mean_interval(times)
    # Of few steps that took very different times, it would begin below 0.
    intervals = {"step_time_mean": [max(0.0, interval[0]), interval[1]]} if interval else {}
    if sampled is None or "train_runtime" not in metrics:
        return Reduced(metrics, {}, intervals)
    return _projected(metrics, intervals, sampled)


def _projected(metrics: dict[str, float], intervals: dict[str, list[float]], sampled: Event) -> Reduced:
    """The metrics with the time of the whole training in the place of what ran of it."""
    ran = metrics["train_runtime"]
    return Reduced(
        {**metrics, "train_runtime": ran + sampled["seconds"]},
        {"train_runtime": "projected"},
        {**intervals, "train_runtime": [ran + sampled["low"], ran + sampled["high"]]},
    )


def warmup_of(steps: int) -> int:
    """The first steps of so many that are warm-up, unless the spec gives a number."""
    return max(1, min(10, steps // 5)) if steps > 1 else 0


def _first(ranks: Ranks, kind: str) -> Event | None:
    return next(of_kind(ranks, kind), None)


def _phase_times(ranks: Ranks) -> dict[str, float | None]:
    clocks = offsets(ranks)
    times = {f"phase_{phase}": _phase_time(ranks, phase, clocks) for phase in PHASES}
    return {"train_runtime": times["phase_train"], **times}


def _phase_time(ranks: Ranks, phase: str, clocks: Mapping[int, float]) -> float | None:
    """Seconds in which the ranks were in a phase together; None if none was, or one did not end it."""
    found = [spans(ranks[rank], phase, clocks[rank]) for rank in ranks]
    whole = [each for each in found if each is not None]
    times = [end - begin for begin, end in overall(whole)]
    # Without clocks, a time of day that is set back can make a phase end before it began.
    known = len(whole) == len(found) and times and min(times) >= 0
    return math.fsum(times) if known else None


def _warm_up(sampled: Event | None) -> dict[str, float]:
    return {id: sampled[id] for id in ("warmup_steps", "warmup_time")} if sampled else {}


def _costs(facts: Facts, wall_time: float) -> dict[str, float | None]:
    price = facts.price_per_hour
    return {"wall_time": wall_time, "cost": wall_time / 3600 * price.value if price else None}


def _times(steady: Sequence[Step]) -> list[float]:
    return [step.seconds for step in steady if step.seconds is not None]


def _rates(steady: Sequence[Step]) -> dict[str, float]:
    seconds = math.fsum(_times(steady))
    if seconds <= 0:
        return {}
    counts = ("rows", "tokens", "padded_tokens", "loss_tokens")
    totals = {count: _total(steady, count) for count in counts}
    return {f"{count}_per_second": total / seconds for count, total in totals.items() if total is not None}


def _total(steady: Sequence[Step], count: str) -> int | None:
    """A count over all steps; None if it is not known of one of them."""
    found = [getattr(step, count) for step in steady]
    return None if None in found else sum(found)


def _step_times(times: Sequence[float]) -> dict[str, float]:
    from statistics import fmean

    if not times:
        return {}
    percentiles = {f"step_time_p{percent}": percentile(sorted(times), percent) for percent in (50, 95, 99)}
    return {"step_time_mean": fmean(times), **percentiles}


def _utilisation(ranks: Ranks, steady: Sequence[Step], facts: Facts, blocks_again: bool) -> dict[str, float]:
    """`mfu`, `hfu` and `attained`, as far as the FLOPs, and the peak or the ceilings, are known for certain."""
    model = _first(ranks, "model")
    flops, precision = _flops_per_second(model, steady), _peak_name(ranks)
    if flops is None or precision is None:
        return {}
    computed = _computed_per_second(model, steady, blocks_again)
    world = group_size(ranks)
    peak = facts.peak.get(precision)
    measured = [event[precision] for event in of_kind(ranks, "ceilings") if event[precision]]
    return {
        **({"mfu": flops / (world * peak.value)} if peak else {}),
        **({"hfu": computed / (world * peak.value)} if peak and computed else {}),
        **({"attained": flops / math.fsum(measured)} if len(measured) == world else {}),
    }


def _flops_per_second(model: Event | None, steady: Sequence[Step]) -> float | None:
    """FLOP/s of all ranks, counting real tokens only; None if they are not known."""
    rate = _rates(steady).get("tokens_per_second")
    if model is None or rate is None or model["shape"] is None or model.get("share") is None:
        return None
    rows, tokens = _total(steady, "rows"), _total(steady, "tokens")
    if not rows or tokens is None:
        return None
    return rate * flops_per_token(model["shape"], model["share"], tokens / rows)


def _computed_per_second(model: Event | None, steady: Sequence[Step], blocks_again: bool) -> float | None:
    """FLOP/s of all ranks, counting all that was computed; None if they are not known."""
    names = ("rows", "padded_tokens", "block_tokens", "head_tokens")
    totals = [total for name in names if (total := _total(steady, name)) is not None]
    if model is None or len(totals) < len(names) or not totals[0] or "vocabulary" not in model["shape"]:
        return None
    rows, padded, blocks, head = totals
    # Attention reaches over padding where there is any.
    flops = flops_computed(model["shape"], model["share"], padded / rows, blocks, head, blocks_again=blocks_again)
    return flops / math.fsum(_times(steady))


def _peak_name(ranks: Ranks) -> str | None:
    """Which peak the arithmetic that was seen on all ranks can reach; None if it was not seen, or differs."""
    found = {(event.get("dtype"), event.get("tf32")) for event in of_kind(ranks, "arithmetic")}
    dtype, tf32 = found.pop() if len(found) == 1 else (None, False)
    return {"bfloat16": "bf16", "float32": "tf32" if tf32 else "fp32"}.get(str(dtype))


def _memory(ranks: Ranks) -> dict[str, int | None]:
    names = {"allocated": "peak_memory_allocated", "reserved": "peak_memory_reserved", "host": "host_peak_memory"}
    return {
        id: max((event[key] for event in of_kind(ranks, "memory") if event[key] is not None), default=None)
        for key, id in names.items()
    }


def _energy(ranks: Ranks) -> float | None:
    joules = [event["joules"] for event in of_kind(ranks, "energy")]
    return math.fsum(joules) if joules and len(joules) == group_size(ranks) else None


def _first_loss(ranks: Ranks) -> float | None:
    """Every rank reports the mean of all ranks, so one of them is enough."""
    losses = {event["step"]: event["loss"] for event in of_kind(ranks, "step")}
    return losses[min(losses)] if losses else None


def _final_loss(ended: Sequence[Step]) -> float | None:
    """The mean over the labelled tokens of the last steps; None without any, or if a loss or a count is not known."""
    last = [(step.loss, step.loss_tokens) for step in ended[-LAST_STEPS:]]
    tokens = sum(weight or 0 for _, weight in last)
    parts = [loss * weight for loss, weight in last if loss is not None and weight is not None]
    return math.fsum(parts) / tokens if tokens and len(parts) == len(last) else None


def _answering(ranks: Ranks) -> dict[str, float | None]:
    """What answering took, of all batches of prompts."""
    batches = list(of_kind(ranks, "answers"))
    first = sorted(batch["first_token"] for batch in batches for _ in batch["answers"])
    seconds = math.fsum(batch["seconds"] for batch in batches)
    if not first or seconds <= 0:
        return {}
    return {
        "first_token_time": percentile(first, 50),
        "generated_tokens_per_second": sum(batch["tokens"] for batch in batches) / seconds,
        "query_peak_memory": max((batch["peak_memory"] for batch in batches if batch["peak_memory"]), default=None),
    }


def _counts(ranks: Ranks) -> dict[str, int]:
    data, model = _first(ranks, "data"), _first(ranks, "model")
    counted = {f"dataset_{key}": data[key] for key in ("rows", "words", "tokens")} if data else {}
    return counted | ({key: model[key] for key in ("parameters", "trainable_parameters")} if model else {})
