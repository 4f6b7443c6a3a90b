"""Results -> columns: what tells them apart, how they ended, and what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchspec.reports.cells import axis_texts, measured_text
from benchspec.reports.counts import counts_text
from benchspec.reports.report import Column
from benchspec.results.launches import Launches
from benchspec.results.result import Result
from benchspec.results.scaling import efficiencies
from benchspec.terms.metrics import METRICS, SHOWN


def by_experiment(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Results by experiment, in the order of first appearance."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.experiment, []).append(result)
    return groups


def axis_paths(results: Iterable[Result]) -> list[str]:
    """The dotted paths of all axes of the results."""
    return list(dict.fromkeys(path for result in results for path in result.axes))


def shown_metrics(results: Sequence[Result]) -> list[str]:
    """The metrics of `SHOWN` that any of the results has: the columns of a report.

    Host memory is shown only if no result has accelerator memory.
    """
    known = [metric for metric in SHOWN if any(metric in result.numbers for result in results)]
    return [metric for metric in known if metric != "host_peak_memory" or "peak_memory_allocated" not in known]


def axis_columns(results: Sequence[Result]) -> list[Column]:
    """A column per axis; one with the cases' ids without axes, or where these do not tell the cases apart."""
    paths = axis_paths(results)
    columns = [_axis_column(results, path, _short(path, paths)) for path in paths]
    apart = len(set(zip(*(column.cells for column in columns), strict=True))) == len(results)
    return columns if paths and apart else [*columns, Column("case", [result.case for result in results])]


def outcome_column(results: Sequence[Result]) -> Column:
    """How each case ended, and in which phase."""
    return Column("outcome", [_outcome(result) for result in results])


def metric_column(results: Sequence[Result], metric: str) -> Column:
    """A metric of each case."""
    cells = [measured_text(result, metric) for result in results]
    return Column(METRICS[metric].label, cells, right=True, numbers=[each.numbers.get(metric) for each in results])


def efficiency_columns(group: Sequence[Result]) -> list[Column]:
    """The parallel efficiency of each case, where numbers of processes vary."""
    found = efficiencies(group)
    numbers = [found.get(result.case) for result in group]
    cells = ["" if number is None else f"{number:.0%}" for number in numbers]
    return [Column("parallel efficiency", cells, right=True, numbers=numbers)] if found else []


def _axis_column(group: Sequence[Result], path: str, heading: str) -> Column:
    values = [result.axes[path] for result in group if path in result.axes]
    texts = iter(axis_texts(values))
    cells = [next(texts) if path in result.axes else "" for result in group]
    if not all(isinstance(value, int | float) for value in values):
        return Column(heading, cells)
    return Column(heading, cells, right=True, numbers=[result.axes.get(path) for result in group])


def _short(path: str, paths: Sequence[str]) -> str:
    """The last part of a path if no other path ends with it; otherwise the whole path."""
    last = path.split(".")[-1]
    return last if sum(other.split(".")[-1] == last for other in paths) == 1 else path


def _outcome(result: Result) -> str:
    if isinstance(result, Launches):
        return counts_text(result.outcomes)
    alone = result.outcome in ("ok", "skipped") or not result.phase
    return result.outcome if alone else f"{result.outcome} ({result.phase})"
