"""A case: one point of a matrix, the unit that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchspec.kinds.bases import FIELDS
from benchspec.terms.layout import CASE, write_json


@dataclass(frozen=True, kw_only=True, repr=False)
class Case:
    """One point of a matrix, the unit that runs."""

    #: readable, with a digest of what the spec says about the case
    id: str
    experiment: str
    #: what the matrix varied: dotted path -> value
    axes: Mapping[str, Any]
    #: the outcomes that the spec expects
    expected: tuple[str, ...]
    #: the fields that the spec gives, without defaults
    said: Mapping[str, Any]
    model: Mapping[str, Any]
    dataset: Mapping[str, Any]
    method: Mapping[str, Any]
    recipe: Mapping[str, Any]
    backend: Mapping[str, Any]
    launcher: Mapping[str, Any]
    train: Mapping[str, Any]
    measure: Mapping[str, Any]
    limits: Mapping[str, Any]
    #: what the trained model is asked; None: nothing
    query: Mapping[str, Any] | None = None
    #: how often it is launched
    repeats: int = 1

    def __repr__(self) -> str:
        return f"<Case {self.experiment}/{self.id}>"

    @property
    def key(self) -> tuple[str, str]:
        """Its experiment and its id, which together are its own in a run."""
        return self.experiment, self.id

    @property
    def full_name(self) -> str:
        """`EXPERIMENT/ID`."""
        return "/".join(self.key)

    @property
    def sampled_to(self) -> float | None:
        """How precisely a sampled training's time must be known, as a share of it; None: every step runs."""
        return float(self.measure["precision"]) if self.measure.get("mode") == "sampled" else None

    @property
    def searched(self) -> bool:
        """Whether it is a trial of a search for the largest batch."""
        return bool(self.measure.get("search"))

    @property
    def fields(self) -> dict[str, Any]:
        """Every field, defaults filled in, as the worker reads it."""
        return {key: getattr(self, key) for key in FIELDS}

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "experiment": self.experiment, "axes": self.axes, "expected": self.expected} | {
            "said": self.said,
            **self.fields,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Case:
        return cls(**{**data, "expected": tuple(data["expected"])})


class Told(NamedTuple):
    """What an attempt's folder tells its ranks, in case.json."""

    case: Case
    #: the id of the run's invocation that started it
    invocation: str
    #: which launch of the case it is
    launch: int
    #: whether some steps are looked at by torch's profiler
    profiled: bool = False


def write_case(folder: Path, told: Told) -> None:
    """Write what an attempt's folder tells its ranks."""
    profiled = {"profiled": True} if told.profiled else {}
    beside = {"launch": told.launch, "invocation": told.invocation, **profiled}
    write_json(folder / CASE, {**told.case.to_json(), **beside})


def read_case(folder: Path) -> Told:
    """What an attempt's folder tells its ranks; raises OSError, ValueError, KeyError or TypeError if it cannot."""
    data = json.loads((folder / CASE).read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise TypeError(f"{CASE} holds no mapping")
    invocation, launch, profiled = data.pop("invocation"), data.pop("launch", 1), data.pop("profiled", False)
    return Told(Case.from_json(data), invocation, launch, profiled)


class Launch(NamedTuple):
    """One of the launches of a case: what is started, and has a result of its own."""

    case: Case
    #: which one, from 1
    number: int

    @property
    def key(self) -> tuple[str, str, int]:
        """The experiment, the id of its case and its number, which together are its own in a run."""
        return *self.case.key, self.number

    def __str__(self) -> str:
        """`EXPERIMENT/ID`, and where the case is launched more than once, `launch 2 of 5`."""
        more = f"  launch {self.number} of {self.case.repeats}" if self.case.repeats > 1 else ""
        return f"{self.case.full_name}{more}"


def launches(cases: Sequence[Case]) -> list[Launch]:
    """Every launch of the cases, in turns: A B, B A, A B, so that what changes with time falls on all alike."""
    most = max((case.repeats for case in cases), default=0)
    rounds = [[Launch(case, number) for case in cases if case.repeats >= number] for number in range(1, most + 1)]
    return [launch for number, each in enumerate(rounds) for launch in (reversed(each) if number % 2 else each)]
