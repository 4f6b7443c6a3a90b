"""A case: one point of a matrix, the unit that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchspec.kinds.bases import CASE_KINDS, SECTIONS


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
    def fields(self) -> dict[str, Any]:
        """Every field, defaults filled in, as the worker reads it."""
        return {key: getattr(self, key) for key in (*CASE_KINDS, *SECTIONS)}

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "experiment": self.experiment, "axes": self.axes, "expected": self.expected} | {
            "said": self.said,
            **self.fields,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Case:
        return cls(**{**data, "expected": tuple(data["expected"])})
