"""The events of a case -> its metrics.

The events may end anywhere, because processes get killed. A metric that the remaining events do not determine is left
out, never guessed: a sum over ranks if a rank is missing, and the time of a phase that a rank did not finish.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from benchspec.kinds.values import Facts, flops_per_token
from benchspec.results.events import Event
from benchspec.results.stats import mean_interval, percentile
from benchspec.results.steps import Ranks, Step, group_size, of_kind, steps
from benchspec.terms.metrics import METRICS


class Reduced(NamedTuple):
    """The metrics of a case; unknown ones are absent."""

    #: metric id -> number in the metric's unit
    metrics: dict[str, float]
    #: metric id -> [low, high], the 95% confidence interval
    intervals: dict[str, list[float]]


def reduce(ranks: Ranks, *, warmup_steps: int, facts: Facts, started: float, finished: float) -> Reduced:
    """The metrics of a case whose process group ran from `started` to `finished` (seconds since the epoch)."""
    ended = steps(ranks)
    steady = [step for step in ended if step.step > warmup_steps and step.seconds is not None]
    times = _times(steady)
    known = {
        **_phase_times(ranks),
        **_costs(facts, finished - started),
        "steps": len(ended) if _first(ranks, "step") else None,
        **_rates(steady),
        **_step_times(times),
        "mfu": _mfu(_first(ranks, "model"), _peak_name(ranks), steady, facts, group_size(ranks)),
        **_memory(ranks),
        "energy": _energy(ranks),
        **_losses(ranks),
        **_counts(ranks),
    }
    metrics = {id: value for id in METRICS if (value := known.get(id)) is not None and math.isfinite(value)}
    interval = mean_interval(times)
    return Reduced(metrics, {"step_time_mean": interval} if interval else {})


def _first(ranks: Ranks, kind: str) -> Event | None:
    return next(of_kind(ranks, kind), None)


def _phase_times(ranks: Ranks) -> dict[str, float | None]:
    phases = [id.removeprefix("phase_") for id in METRICS if id.startswith("phase_")]
    times = {f"phase_{phase}": _phase_time(ranks, phase) for phase in phases}
    return {"train_runtime": times["phase_train"], **times}


def _phase_time(ranks: Ranks, phase: str) -> float | None:
    """Seconds from when the last rank begins a phase until the last rank ends it; None if a rank did not end it.

    The last rank to begin counts because earlier ones wait for it: under FSDP, all wait for the one that builds the
    model.
    """
    found = [pair for pair in (_begins_and_ends(events, phase) for events in ranks.values()) if pair[0]]
    if not found or any(len(begins) != len(ends) for begins, ends in found):
        return None
    times = (zip(*each, strict=False) for each in zip(*found, strict=True))
    return math.fsum(max(ends) - max(begins) for begins, ends in zip(*times, strict=True))


def _begins_and_ends(events: Sequence[Event], phase: str) -> tuple[list[float], list[float]]:
    begins, ends = (
        [event["time"] for event in events if event["event"] == kind and event["phase"] == phase]
        for kind in ("begin", "end")
    )
    return begins, ends


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
    return {f"{count}_per_second": _total(steady, count) / seconds for count in counts}


def _total(steady: Sequence[Step], count: str) -> int:
    return sum(getattr(step, count) for step in steady)


def _step_times(times: Sequence[float]) -> dict[str, float]:
    from statistics import fmean

    if not times:
        return {}
    percentiles = {f"step_time_p{percent}": percentile(sorted(times), percent) for percent in (50, 95, 99)}
    return {"step_time_mean": fmean(times), **percentiles}


def _mfu(model: Event | None, peak_name: str | None, steady: Sequence[Step], facts: Facts, world: int) -> float | None:
    """Model FLOPs utilisation, counting real tokens only; None if the FLOPs or the peak are not known for certain."""
    rate = _rates(steady).get("tokens_per_second")
    if model is None or rate is None or model["shape"] is None or model.get("share") is None:
        return None
    peak, rows = facts.peak.get(peak_name or ""), _total(steady, "rows")
    if peak is None or not rows:
        return None
    flops = flops_per_token(model["shape"], model["share"], _total(steady, "tokens") / rows)
    return rate * flops / (world * peak.value)


def _peak_name(ranks: Ranks) -> str | None:
    """Which peak the arithmetic that was seen on all ranks can reach; None if it was not seen, or differs."""
    found = {(event["dtype"], event["tf32"]) for event in of_kind(ranks, "arithmetic")}
    dtype, tf32 = found.pop() if len(found) == 1 else (None, False)
    return {"bfloat16": "bf16", "float32": "tf32" if tf32 else "fp32"}.get(dtype)


def _memory(ranks: Ranks) -> dict[str, int | None]:
    names = {"allocated": "peak_memory_allocated", "reserved": "peak_memory_reserved", "host": "host_peak_memory"}
    return {
        id: max((event[key] for event in of_kind(ranks, "memory") if event[key] is not None), default=None)
        for key, id in names.items()
    }


def _energy(ranks: Ranks) -> float | None:
    joules = [event["joules"] for event in of_kind(ranks, "energy")]
    return math.fsum(joules) if joules and len(joules) == group_size(ranks) else None


def _losses(ranks: Ranks) -> dict[str, float | None]:
    losses = {event["step"]: event["loss"] for event in of_kind(ranks, "step")}
    return {"first_loss": losses[min(losses)], "final_loss": losses[max(losses)]} if losses else {}


def _counts(ranks: Ranks) -> dict[str, int]:
    data, model = _first(ranks, "data"), _first(ranks, "model")
    counted = {f"dataset_{key}": data[key] for key in ("rows", "words", "tokens")} if data else {}
    return counted | ({key: model[key] for key in ("parameters", "trainable_parameters")} if model else {})
