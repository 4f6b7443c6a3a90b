"""Published values next to measured ones: a table an experiment, and the list of their sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchspec.reports.cells import field_text, measured_verdict_text, number_text, published_text, verdict_text
from benchspec.reports.report import Column
from benchspec.results.results import Results
from benchspec.results.verdicts import Verdict, by_case
from benchspec.terms.metrics import METRICS


class Source(NamedTuple):
    """A publication, and the hardware that its values were measured on."""

    name: str
    hardware: str | None


@dataclass(frozen=True)
class Published:
    """The verdicts of a report, by experiment, and the numbers of their sources."""

    verdicts: Mapping[str, Sequence[Verdict]]
    #: source -> its number in the report, counted from 1 in order of appearance
    numbers: Mapping[Source, int]

    def table(self, experiment: str) -> list[Column]:
        """What was published of an experiment beside what was measured; verdicts that say the same share a row."""
        rows: dict[tuple[Any, ...], list[str]] = {}
        for verdict in self.verdicts.get(experiment, ()):
            rows.setdefault(self._row(verdict), []).append(_cases(verdict))
        if not rows:
            return []
        metrics, published, measured, verdicts, numbers = zip(*rows, strict=True)
        return [
            Column("published", metrics),
            Column("case", [_joined([case for case in cases if case]) for cases in rows.values()]),
            Column("value", published, right=True),
            Column("measured", measured, right=True, numbers=numbers),
            Column("verdict", verdicts),
        ]

    def _row(self, verdict: Verdict) -> tuple[Any, ...]:
        number = self.numbers[_source(verdict)]
        return (
            _what(verdict),
            f"{published_text(verdict)} [{number}]",
            measured_verdict_text(verdict),
            verdict_text(verdict),
            verdict["measured"] if isinstance(verdict["measured"], int | float) else None,
        )

    def differences(self, experiment: str) -> list[str]:
        """A line per reason for which verdicts are `not comparable`."""
        words: dict[str, dict[int, None]] = {}
        for verdict in self.verdicts.get(experiment, ()):
            if verdict["verdict"] == "not comparable":
                words.setdefault(verdict["words"], {})[self.numbers[_source(verdict)]] = None
        return [
            f"not comparable with {' '.join(f'[{number}]' for number in numbers)}: {reason}"
            for reason, numbers in words.items()
        ]

    def source_lines(self) -> list[str]:
        """A line per source: `[1] a paper, Figure 6 (on xe9680-h100)`."""
        return [f"[{number}] {_source_text(source)}" for source, number in self.numbers.items()]


def verdicts_by_case(results: Results) -> dict[tuple[str, str], list[Verdict]]:
    """(experiment, case) -> the verdicts of that case alone; a case without published values is absent."""
    return by_case(results.verdicts)


def collect(experiments: Iterable[str], results: Results) -> Published:
    """The verdicts on the experiments that a report shows."""
    verdicts: dict[str, list[Verdict]] = {name: [] for name in experiments}
    for verdict in results.verdicts:
        if verdict["experiment"] in verdicts:
            verdicts[verdict["experiment"]].append(verdict)
    sources = dict.fromkeys(_source(verdict) for found in verdicts.values() for verdict in found)
    return Published(verdicts, {source: number for number, source in enumerate(sources, start=1)})


def _what(verdict: Verdict) -> str:
    """What a verdict is about: `train time`, `train time per 10,000 dataset.rows`, `train time by model`."""
    if verdict["metric"] is None:
        return "outcome"
    label = METRICS[verdict["metric"]].label
    if verdict["kind"] == "ordering":
        return f"{label} by {verdict['by']}"
    if not verdict["per"]:
        return label
    ((path, amount),) = verdict["per"].items()
    return f"{label} per {number_text(amount)} {path}" if verdict["kind"] == "slope" else f"{label} over {path}"


def _cases(verdict: Verdict) -> str:
    return ", ".join(field_text(value) for value in (verdict["where"] or {}).values())


def _joined(cases: Sequence[str]) -> str:
    """The cases of a row; of many, the first and the last."""
    if len(cases) > 3:
        return f"{cases[0]} … {cases[-1]} ({len(cases)} cases)"
    return "; ".join(cases) or "all"


def _source(verdict: Verdict) -> Source:
    return Source(verdict["source"], verdict["hardware"])


def _source_text(source: Source) -> str:
    return source.name + (f" (on {source.hardware})" if source.hardware else "")
