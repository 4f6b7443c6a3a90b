"""What a search for the largest batch that fits has found, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchspec.reports.cells import field_text, measured_text
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.results.search import failed, fitting, is_over, largest


def searched(group: Sequence[Result], results: Results) -> list[str]:
    """What each search for the largest batch has found, and which of the sizes that it tried was the fastest."""
    axes: Mapping[str, str] = results.run.get("searched", {})
    searches: dict[str, list[Result]] = {}
    for result in group:
        if axis := axes.get(result.full_name):
            others = [field_text(value) for path, value in result.axes.items() if path != axis]
            searches.setdefault(", ".join(others), []).append(result)
    whole = axes.keys() <= {result.full_name for result in results}
    found = {others: _found(trials, axes[trials[0].full_name], whole) for others, trials in searches.items()}
    return [f"{others}: {text}" if others and len(found) > 1 else text for others, text in found.items() if text]


def _found(trials: Sequence[Result], axis: str, whole: bool) -> str:
    """`batch_size 16 is the largest that fits; 8 is the fastest of those tried, at 112 rows/s`.

    `whole` says whether every size has a result.
    """
    name = axis.rpartition(".")[2]
    # As the search does, it goes by first launches.
    outcomes = {result.axes[axis]: result.launches[0].outcome for result in trials}
    fits, failures = fitting(outcomes), failed(outcomes)
    stopped = [f"the search stopped at {size}: {failures[size]}" for size in sorted(failures)[:1]]
    if not any(fits.values()):
        tried = [f"no {name} fits of those tried, {', '.join(map(str, sorted(fits)))}"] if fits else []
        return "; ".join([*tried, *stopped])
    over = whole and is_over(outcomes)
    if not over:
        known = "is the largest of those tried so far that fits"
    elif all(fits.values()):
        known = "fits too, and a step has no more rows: raise train.gradient_accumulation to try more"
    else:
        known = "is the largest that fits"
    fastest = max(
        (result for result in trials if fits.get(result.axes[axis])),
        key=lambda result: result.numbers.get("rows_per_second", 0),
    )
    rate = measured_text(fastest, "rows_per_second")
    mixed = [
        result.axes[axis] for result in trials if len({each.outcome for each in result.launches} - {"skipped"}) > 1
    ]
    at_times = [f"{', '.join(map(str, sorted(mixed)))} did not always end alike"] if mixed else []
    best = f"{fastest.axes[axis]} is the fastest of those tried, at {rate} rows/s"
    return "; ".join([f"{name} {largest(fits)} {known}", best, *at_times, *stopped])
