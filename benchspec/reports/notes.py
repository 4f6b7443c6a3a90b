"""What has to be known beside a table: failures, warnings, what its numbers are of and how well they are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchspec.reports.cells import basis_mark, metric_text, ratio_text
from benchspec.results.launches import Launches
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.terms.harmless import brief, one_line
from benchspec.terms.metrics import METRICS

#: a 95th percentile of step times of more than so many medians is remarked on
UNEVEN = 3

#: marks a result that depends on something that is no longer as it was
CHANGED = "†"


def notes(group: Sequence[Result], shown: Sequence[str], results: Results) -> list[str]:
    """The notes on the results of an experiment whose metrics `shown` are in its first table, a line each."""
    return [
        *_medians(group),
        *_failures(group, results),
        *_warnings(group),
        *_uneven(group),
        *_not_measured(group, shown),
        *_other_figures(shown, results.run.get("other_figures")),
        *_changed(group, results),
        *_no_currency(group),
    ]


def _medians(group: Sequence[Result]) -> list[str]:
    """The remark that numbers are of several launches."""
    counts = sorted({sum(each.outcome == "ok" for each in result.launches) for result in group} - {0, 1})
    return [f"each number is the median of {' or '.join(map(str, counts))} launches, with the range"] if counts else []


def _failures(group: Sequence[Result], results: Results) -> list[str]:
    """A line per case that is not ok; of several launches, one for all that failed alike."""
    return [line for result in group for line in _failures_of(result, results)]


def _failures_of(result: Result, results: Results) -> Iterator[str]:
    alike: dict[str, list[Result]] = {}
    for launch in result.launches:
        if launch.outcome != "ok":
            alike.setdefault(launch.ending, []).append(launch)
    for ending, found in alike.items():
        numbers = ", ".join(str(launch.launch) for launch in found)
        which = f", launch{'es' if len(found) > 1 else ''} {numbers}" if isinstance(result, Launches) else ""
        log = _log(found[0], results)
        yield f"{result.case}{which}: {ending}{_trained(found)}" + (f" (log: {one_line(str(log))})" if log else "")


def _trained(found: Sequence[Result]) -> str:
    """The time and the speed of trainings that had been proven before their query failed; empty if there is none."""
    proven = [each for each in found if each.phase == "query" and "train_runtime" in each.metrics]
    if not proven:
        return ""
    names = [name for name in ("train_runtime", "rows_per_second") if all(name in each.metrics for each in proven)]
    texts = [
        " and ".join(basis_mark(each, name) + metric_text(name, each.metrics[name]) for each in proven)
        for name in names
    ]
    rate = f", {texts[1]} {METRICS['rows_per_second'].unit}" if len(texts) > 1 else ""
    return f"; the training before it is proven: {texts[0]}{rate}"


def _log(result: Result, results: Results) -> Path | None:
    """The log in the run directory: where that lies, a report does not depend on."""
    log = results.log_of(result)
    return log and log.relative_to(results.folder)


def _warnings(group: Sequence[Result]) -> list[str]:
    """A line per warning, with the cases that have it."""
    cases: dict[str, list[str]] = {}
    for result in group:
        for warning in result.warnings:
            cases.setdefault(warning, []).append(result.case)
    return [f"{_named(group, names)}: warning: {brief(warning)}" for warning, names in cases.items()]


def _uneven(group: Sequence[Result]) -> list[str]:
    """A line on the cases whose steps took so unevenly long that rows of many lengths alone do not explain it."""
    ratios: dict[str, float] = {}
    for result in group:
        for launch in result.launches:
            median, slow = (launch.numbers.get(f"step_time_{name}") for name in ("p50", "p95"))
            if median and slow and slow > UNEVEN * median:
                ratios[result.case] = max(ratios.get(result.case, 0.0), slow / median)
    if not ratios:
        return []
    cases, far = _named(group, list(ratios)), ratio_text(max(ratios.values()))
    return [
        f"steps took unevenly long in {cases}, their 95th percentile up to {far} the median: something else may have "
        "used this machine"
    ]


def _not_measured(group: Sequence[Result], shown: Sequence[str]) -> list[str]:
    """Lines that name the projected or predicted numbers and their cases, and say how well they are known."""
    found: dict[tuple[str, str], list[Result]] = {}
    for result in group:
        for basis, labels in _bases(result, shown).items():
            found.setdefault((basis, labels), []).append(result)
    return [
        f"~ {basis}, not measured: {labels} of {_named(group, [result.case for result in results])}{_known_to(results)}"
        for (basis, labels), results in found.items()
    ]


def _bases(result: Result, shown: Sequence[str]) -> Mapping[str, str]:
    """`projected` or `predicted` -> the labels of those shown metrics, joined."""
    labels = {
        basis: [
            METRICS[metric].label for metric in shown if metric in result.numbers and result.basis.get(metric) == basis
        ]
        for basis in dict.fromkeys(result.basis.values())
    }
    return {basis: ", ".join(found) for basis, found in labels.items() if found}


def _known_to(results: Sequence[Result]) -> str:
    """How precisely what is not measured is known, and from how many steps; empty where no launch says so."""
    launches = [launch for result in results for launch in result.launches if launch.basis and launch.numbers]
    halves = [
        (launch.intervals[metric][1] - launch.intervals[metric][0]) / 2 / launch.numbers[metric]
        for launch in launches
        for metric in launch.basis
        if metric in launch.intervals and launch.numbers.get(metric)
    ]
    steps, planned = ([launch.numbers.get(name, 0) for launch in launches] for name in ("steps", "planned_steps"))
    if not halves or not all(steps) or not all(planned):
        return ""
    known = f", to ±{_range(halves, '.2g', 100)}% (95%) from {_range(steps, ',.0f')} of {_range(planned, ',.0f')} steps"
    return f"{known}; times and rates beside it are of those steps"


def _range(values: Sequence[float], form: str, factor: float = 1) -> str:
    low, high = (format(extreme(values) * factor, form) for extreme in (min, max))
    return low if low == high else f"{low} to {high}"


def _other_figures(shown: Sequence[str], other_figures: str | None) -> list[str]:
    """The remark that MFU and cost use the figures of a named machine that this one is not, if any of them is shown."""
    labels = [METRICS[metric].label for metric in ("mfu", "cost") if metric in shown]
    if not labels or not other_figures:
        return []
    return [f"{' and '.join(labels)} use{'s' if len(labels) == 1 else ''} {other_figures}"]


def _no_currency(group: Sequence[Result]) -> list[str]:
    """The remark that costs have no currency, if any of them has none."""
    if all(result.currency for result in group if "cost" in result.numbers):
        return []
    return ["cost is in the currency of price_per_hour, which the hardware's option `currency` names"]


def _changed(group: Sequence[Result], results: Results) -> list[str]:
    """Lines that say what is no longer as it was when these results were measured."""
    cases: dict[str, list[str]] = {}
    for result in group:
        if found := results.changes(result):
            cases.setdefault("; ".join(map(one_line, found)), []).append(result.case)
    return [
        f"{CHANGED} changed since this was measured: {found} ({_named(group, names)})" for found, names in cases.items()
    ]


def _named(group: Sequence[Result], cases: Sequence[str]) -> str:
    return "every case" if len(cases) == len(group) > 1 else ", ".join(cases)
