"""What each metric means, and a case's events -> its metrics.

Everything here bears evidence that was cut off anywhere: what a killed case still tells is kept, and what it does not
tell is absent, never a guess. So no sum lacks a rank, and no phase counts that a rank left unfinished.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from benchspec.kinds.values import Facts, flops_per_token
from benchspec.results.events import Event

#: the phases that have a metric; those within `train` have none
PHASES = ("start", "data", "build", "shard", "train", "save", "query")

Ranks = Mapping[int, Sequence[Event]]


@dataclass(frozen=True)
class Metric:
    """What a number means."""

    id: str
    unit: str
    #: which way is better; None where neither is
    direction: Literal["lower", "higher"] | None
    #: how it comes about, in a sentence
    formula: str
    #: for the headings of tables
    label: str


class Reduced(NamedTuple):
    """What the events of a case come to; a metric that is not known is absent."""

    #: metric id -> number in the metric's unit
    metrics: dict[str, float]
    #: metric id -> [low, high], the 95% interval
    intervals: dict[str, list[float]]


_TOGETHER = "from the last rank's begin to the last one's end"
_STEADY = "over the steps after the warm-up, from the end of its last step to the end of the last of all"
_STEP_TIMES = (
    "the steps after the warm-up, each lasting from the end of the step before, on the slowest rank, to its own"
)
_TABLE = (
    Metric(
        "train_runtime",
        "s",
        "lower",
        f"Time in the train phase, {_TOGETHER}, with its saves.",
        "train time",
    ),
    Metric("wall_time", "s", "lower", "Time from the start of the process group to its end.", "wall time"),
    *(
        Metric(
            f"phase_{phase}",
            "s",
            "lower",
            f"Time in the phase {phase}, {_TOGETHER}.",
            f"{phase} phase",
        )
        for phase in PHASES
    ),
    Metric("steps", "steps", None, "Optimizer steps that every rank has ended.", "steps"),
    Metric("rows_per_second", "rows/s", "higher", f"Rows of all ranks a second, {_STEADY}.", "rows/s"),
    Metric("tokens_per_second", "tokens/s", "higher", f"Real tokens of all ranks a second, {_STEADY}.", "tokens/s"),
    Metric(
        "padded_tokens_per_second",
        "tokens/s",
        "higher",
        f"Tokens of all ranks a second, padding included, {_STEADY}.",
        "padded tokens/s",
    ),
    Metric(
        "loss_tokens_per_second",
        "tokens/s",
        "higher",
        f"Tokens of all ranks that count in the loss a second, {_STEADY}.",
        "loss tokens/s",
    ),
    Metric("step_time_mean", "s", "lower", f"Mean of {_STEP_TIMES}; 95% interval by Student's t.", "step mean"),
    Metric("step_time_p50", "s", "lower", f"Median of {_STEP_TIMES}.", "step p50"),
    Metric("step_time_p95", "s", "lower", f"95th percentile, interpolated, of {_STEP_TIMES}.", "step p95"),
    Metric("step_time_p99", "s", "lower", f"99th percentile, interpolated, of {_STEP_TIMES}.", "step p99"),
    Metric(
        "mfu",
        "fraction",
        "higher",
        "tokens_per_second × operations a token / (ranks × dense peak FLOP/s of the precision). Operations, in full "
        "fine-tuning: 6 × parameters that are multiplied with + 12 × layers × hidden × mean tokens a row.",
        "MFU",
    ),
    Metric(
        "peak_memory_allocated",
        "bytes",
        "lower",
        "Most that tensors took up on an accelerator while it trained, on the rank with the largest.",
        "peak memory",
    ),
    Metric(
        "peak_memory_reserved",
        "bytes",
        "lower",
        "Most that the allocator held on an accelerator while it trained, on the rank with the largest.",
        "reserved memory",
    ),
    Metric(
        "host_peak_memory",
        "bytes",
        "lower",
        "Most resident memory of a process, on the rank with the largest.",
        "peak host memory",
    ),
    Metric("energy", "J", "lower", "Energy of all ranks' accelerators over the train phase.", "energy"),
    Metric("cost", "currency of the price", "lower", "wall_time / 3600 × the machine's price an hour.", "cost"),
    Metric("first_loss", "nats/token", None, "Loss of the first step, the mean over ranks.", "first loss"),
    Metric("final_loss", "nats/token", "lower", "Loss of the last step, the mean over ranks.", "final loss"),
    Metric("dataset_rows", "rows", None, "Rows of the data set, one drawn twice counted twice.", "data rows"),
    Metric("dataset_words", "words", None, "Words in the data set's rows, without the template.", "data words"),
    Metric("dataset_tokens", "tokens", None, "Tokens in the data set's rows, without the template.", "data tokens"),
    Metric("parameters", "parameters", None, "Parameters of the network, a tied head counted once.", "parameters"),
    Metric("trainable_parameters", "parameters", None, "Parameters that learn.", "trainable parameters"),
)
#: every metric by its id
METRICS: Mapping[str, Metric] = {metric.id: metric for metric in _TABLE}


def reduce(ranks: Ranks, *, warmup_steps: int, facts: Facts, started: float, finished: float) -> Reduced:
    """The metrics of a case whose process group ran from `started` to `finished` (seconds since the epoch)."""
    world = _world(ranks)
    steps = _steps(ranks, world)
    steady = _steady(ranks, steps, warmup_steps)
    known = {
        **_phase_times(ranks),
        **_costs(facts, finished - started),
        "steps": len(steps) if _any(ranks, "step") else None,
        **_rates(steady),
        **_step_times(steady.times),
        "mfu": _mfu(_first(ranks, "model"), steady, facts, world),
        **_memory(ranks),
        "energy": _energy(ranks, world),
        **_losses(ranks),
        **_counts(ranks),
    }
    metrics = {id: value for id in METRICS if (value := known.get(id)) is not None and math.isfinite(value)}
    interval = _mean_interval(steady.times)
    return Reduced(metrics, {"step_time_mean": interval} if interval else {})


def _of(events: Sequence[Event], kind: str) -> Iterator[Event]:
    return (event for event in events if event["event"] == kind)


def _all(ranks: Ranks, kind: str) -> Iterator[Event]:
    """The events of a kind, rank by rank."""
    return (event for rank in sorted(ranks) for event in _of(ranks[rank], kind))


def _any(ranks: Ranks, kind: str) -> bool:
    return _first(ranks, kind) is not None


def _first(ranks: Ranks, kind: str) -> Event | None:
    return next(_all(ranks, kind), None)


def _world(ranks: Ranks) -> int:
    """How many ranks there were, though some may have left no file."""
    return max((event["world"] for event in _all(ranks, "start")), default=len(ranks))


def _phase_times(ranks: Ranks) -> dict[str, float | None]:
    times = {f"phase_{phase}": _together(ranks, phase) for phase in PHASES}
    return {"train_runtime": times["phase_train"], **times}


def _together(ranks: Ranks, phase: str) -> float | None:
    """Seconds from the last rank's begin of a phase to the last one's end; None where a rank did not come to its end.

    A rank that is early waits for the others: under FSDP, all of them for the one that builds the model.
    """
    found = [pair for pair in (_begins_and_ends(events, phase) for events in ranks.values()) if pair[0]]
    if not found or any(len(begins) != len(ends) for begins, ends in found):
        return None
    times = (zip(*each, strict=False) for each in zip(*found, strict=True))
    return math.fsum(max(ends) - max(begins) for begins, ends in zip(*times, strict=True))


def _begins_and_ends(events: Sequence[Event], phase: str) -> tuple[list[float], list[float]]:
    begins, ends = (
        [event["time"] for event in _of(events, kind) if event["phase"] == phase] for kind in ("begin", "end")
    )
    return begins, ends


def _costs(facts: Facts, wall_time: float) -> dict[str, float | None]:
    price = facts.price_per_hour
    return {"wall_time": wall_time, "cost": wall_time / 3600 * price.value if price else None}


@dataclass(frozen=True)
class _Step:
    """An optimizer step of all ranks together."""

    end: float
    rows: int
    tokens: int
    padded_tokens: int
    loss_tokens: int


@dataclass(frozen=True)
class _Steady:
    """The steps after the warm-up; none where a case did not get that far."""

    steps: Sequence[_Step]
    #: seconds of each
    times: Sequence[float]

    def total(self, count: str) -> int:
        return sum(getattr(step, count) for step in self.steps)


def _steps(ranks: Ranks, world: int) -> dict[int, _Step]:
    """The steps that every rank has ended, by their number."""
    reports: dict[int, list[Event]] = {}
    for event in _all(ranks, "step"):
        reports.setdefault(event["step"], []).append(event)
    return {number: _step(reports[number]) for number in sorted(reports) if len(reports[number]) == world}


def _step(reports: Sequence[Event]) -> _Step:
    counts = {key: sum(event[key] for event in reports) for key in ("rows", "tokens", "padded_tokens", "loss_tokens")}
    return _Step(end=max(event["time"] for event in reports), **counts)


def _steady(ranks: Ranks, steps: Mapping[int, _Step], warmup_steps: int) -> _Steady:
    ends = {number: step.end for number, step in steps.items()}
    if begins := [event["time"] for event in _all(ranks, "begin") if event["phase"] == "first-step"]:
        ends[0] = max(begins)
    numbers = [number for number in steps if number > warmup_steps and number - 1 in ends]
    return _Steady([steps[number] for number in numbers], [ends[number] - ends[number - 1] for number in numbers])


def _rates(steady: _Steady) -> dict[str, float]:
    seconds = math.fsum(steady.times)
    if seconds <= 0:
        return {}
    counts = ("rows", "tokens", "padded_tokens", "loss_tokens")
    return {f"{count}_per_second": steady.total(count) / seconds for count in counts}


def _step_times(times: Sequence[float]) -> dict[str, float]:
    from statistics import fmean

    if not times:
        return {}
    percentiles = {f"step_time_p{percent}": _percentile(sorted(times), percent) for percent in (50, 95, 99)}
    return {"step_time_mean": fmean(times), **percentiles}


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """A percentile between the two nearest values, on the straight line from one to the other."""
    place = (len(ordered) - 1) * percent / 100
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (above - below) * (place - math.floor(place))


def _mean_interval(times: Sequence[float]) -> list[float] | None:
    """The 95% interval of a mean by Student's t; None for fewer than two values."""
    from statistics import fmean, stdev

    if len(times) < 2:
        return None
    mean, half = fmean(times), t_quantile(len(times) - 1) * stdev(times) / math.sqrt(len(times))
    return [mean - half, mean + half]


#: Student's t at 97.5%, for 1 to 10 degrees of freedom
_T = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)


def t_quantile(degrees: int) -> float:
    """Student's t at 97.5%, right to three decimals: beyond the table by expansion in 1/degrees about the normal.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    from statistics import NormalDist

    if degrees <= len(_T):
        return _T[degrees - 1]
    z = NormalDist().inv_cdf(0.975)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / math.pow(degrees, power) for power, term in enumerate(terms))


def _mfu(model: Event | None, steady: _Steady, facts: Facts, world: int) -> float | None:
    """The share of the peak that real tokens need; None where operations or peak are not known for certain."""
    rate = _rates(steady).get("tokens_per_second")
    if model is None or rate is None or model["shape"] is None or model.get("share") is None:
        return None
    peak, rows = facts.peak.get(_peak_name(model)), steady.total("rows")
    if peak is None or not rows:
        return None
    return rate * flops_per_token(model["shape"], model["share"], steady.total("tokens") / rows) / (world * peak.value)


def _peak_name(model: Event) -> str:
    if model["precision"] == "fp32":
        return "tf32" if model["tf32"] else "fp32"
    return str(model["precision"])


def _memory(ranks: Ranks) -> dict[str, int | None]:
    names = {"allocated": "peak_memory_allocated", "reserved": "peak_memory_reserved", "host": "host_peak_memory"}
    return {
        id: max((event[key] for event in _all(ranks, "memory") if event[key] is not None), default=None)
        for key, id in names.items()
    }


def _energy(ranks: Ranks, world: int) -> float | None:
    joules = [event["joules"] for event in _all(ranks, "energy")]
    return math.fsum(joules) if joules and len(joules) == world else None


def _losses(ranks: Ranks) -> dict[str, float | None]:
    losses = {event["step"]: event["loss"] for event in _all(ranks, "step")}
    return {"first_loss": losses[min(losses)], "final_loss": losses[max(losses)]} if losses else {}


def _counts(ranks: Ranks) -> dict[str, int]:
    data, model = _first(ranks, "data"), _first(ranks, "model")
    counted = {f"dataset_{key}": data[key] for key in ("rows", "words", "tokens")} if data else {}
    return counted | ({key: model[key] for key in ("parameters", "trainable_parameters")} if model else {})
