"""`Result`: how one launch of a case ended and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from benchspec.results.notebook import number_text, result_html
from benchspec.terms.harmless import brief, one_line
from benchspec.terms.metrics import METRICS, SHOWN
from benchspec.terms.outcomes import FINAL
from benchspec.terms.strict import without_infinities


@dataclass(frozen=True, kw_only=True, repr=False)
class Result:
    """How a launch of a case ended and what was measured: a line of the journal; see `result.schema.json`."""

    schema: int = 3
    case: str
    attempt: str
    #: which launch of the case, from 1
    launch: int = 1
    experiment: str
    #: what the matrix varied: dotted path -> value
    axes: Mapping[str, Any]
    outcome: str
    #: where it ended; None if the outcome is ok, as are `rank` and `reason`
    phase: str | None = None
    rank: int | None = None
    reason: str | None = None
    #: metric id -> number in the metric's unit
    metrics: Mapping[str, float]
    #: the unit of the metric `cost`, as in ISO 4217; None if the machine's price has no currency
    currency: str | None = None
    #: metric id -> `projected` or `predicted`, for metrics that were not measured
    basis: Mapping[str, str] = field(default_factory=dict)
    #: metric id -> [low, high]
    intervals: Mapping[str, Sequence[float]] = field(default_factory=dict)
    #: what the model was asked and what it said, `{prompt, text}` each
    answers: Sequence[Mapping[str, str]] = field(default_factory=list)
    #: evidence that the model learned and was distributed over the processes as configured
    proof: Mapping[str, Any] = field(default_factory=dict)
    #: what it depends on beside the case, as the schema describes it; empty if that was not recorded
    record: Mapping[str, Any] = field(default_factory=dict)
    #: seconds since the epoch
    started: float
    finished: float
    #: what a reader should know of the measurement, one sentence each
    warnings: Sequence[str] = ()
    #: last lines of the log; empty if the outcome is ok
    log: Sequence[str] = ()

    @cached_property
    def launches(self) -> Sequence[Result]:
        """Its launches that have a result: of one alone, itself."""
        return (self,)

    @property
    def key(self) -> tuple[str, str]:
        """The experiment and the id of its case, which together are the case's own in a run."""
        return self.experiment, self.case

    @property
    def full_name(self) -> str:
        """`EXPERIMENT/CASE`."""
        return "/".join(self.key)

    @property
    def numbers(self) -> Mapping[str, float]:
        """The metrics that are results: all of a case that is ok, and none of any other.

        Only a case that is ok has proved that its model learned. What another one had measured before it ended stays
        in `metrics`.
        """
        return self.metrics if self.outcome == "ok" else {}

    @property
    def final(self) -> bool:
        """Whether it is kept: running the case again would not change how it ends."""
        return self.outcome in FINAL and not self.beside_others

    @property
    def beside_others(self) -> bool:
        """Whether it ran out of memory while others used the GPUs, which says nothing about the case."""
        return self.outcome == "oom" and bool(self.record.get("others"))

    @property
    def units(self) -> Mapping[str, str]:
        """The unit of each of its metrics, such as `s` or `bytes`; of a cost, the currency."""
        units = {metric: METRICS[metric].unit for metric in self.metrics}
        return {**units, "cost": self.currency} if self.currency and "cost" in units else units

    @property
    def ending(self) -> str:
        """How it ended, in a line: `oom in first-step on rank 3: CUDA out of memory`; `ok` of one that is ok."""
        if self.outcome == "ok":
            return self.outcome
        where = f" in {self.phase}" if self.phase else ""
        rank = "" if self.rank is None else f" on rank {self.rank}"
        return f"{self.outcome}{where}{rank}: {brief(self.reason or 'no reason known')}"

    def __repr__(self) -> str:
        shown = [metric for metric in SHOWN if metric in self.numbers]
        told = [f", {metric} {number_text(self.numbers[metric])} {self.units[metric]}" for metric in shown]
        return one_line(f"<Result {self.full_name}: {self.ending}{''.join(told)}>")

    def _repr_html_(self) -> str:
        return result_html(self)

    def to_json(self) -> dict[str, Any]:
        """The result as strict JSON, which has no infinities or NaN: these become null."""
        return {each.name: without_infinities(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """The result from the output of `to_json`; raises `TypeError` if a field is missing or unknown."""
        return cls(**data)
