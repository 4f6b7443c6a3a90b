"""Results -> a `Report`: tables as plain values, which each reporter formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import gmtime, strftime
from typing import Any

from benchspec.reports import published
from benchspec.reports.cells import axis_texts, basis_mark, field_text, measured_text, metric_text, ratio_text
from benchspec.reports.published import Published
from benchspec.reports.report import Column, Report, Section
from benchspec.reports.scripts import told_apart
from benchspec.results.launches import Launches
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.results.scaling import efficiencies
from benchspec.results.search import failed, fitting, is_over, largest
from benchspec.results.verdicts import headline
from benchspec.terms.harmless import brief, one_line
from benchspec.terms.metrics import METRICS, SHOWN
from benchspec.terms.outcomes import OUTCOMES

#: columns of a report's tables, axes and outcome included
MAX_COLUMNS = 7

#: a 95th percentile of step times of more than so many medians is remarked on
UNEVEN = 3

#: marks a result that depends on something that is no longer as it was
CHANGED = "†"


def build_report(results: Results) -> Report:
    """The whole report: what was asked and how it came out, a section per experiment, sources and warnings."""
    run = results.run
    groups = by_experiment(told_apart(results.by_case(), run))
    known = published.collect(groups, results)
    titles = run.get("experiments", {})
    return Report(
        name=results.name,
        description=_description(run),
        date=_date(run.get("started")),
        machine=str(run.get("machine_line", "")),
        headline=headline(results.verdicts),
        outcomes=_outcomes(results),
        shared=[f"{name} {field_text(value)}" for name, value in (run.get("shared", {}) | _processes(results)).items()],
        sections=[_section(titles.get(name, {}).get("title") or name, groups[name], known, results) for name in groups],
        sources=known.source_lines(),
        warnings=_without_result(results),
    )


def _processes(results: Results) -> dict[str, Any]:
    """How many processes each case had, where all had as many and the spec leaves it to the machine."""
    found = {result.record.get("processes") for result in results}
    launcher = results.run.get("shared", {}).get("launcher", {})
    said = isinstance(launcher, Mapping) and isinstance(launcher.get("processes"), int)
    return {"processes": found.pop()} if len(found) == 1 and None not in found and not said else {}


def _description(run: Mapping[str, Any]) -> str:
    return str((run.get("spec") or {}).get("description") or "")


def _date(started: float | None) -> str:
    """The day of a time, in UTC, so that a report does not depend on where it is made."""
    try:
        return strftime("%Y-%m-%d", gmtime(started)) if started is not None else ""
    except (OverflowError, OSError, ValueError):
        return ""


def _outcomes(results: Results) -> str:
    """`23 cases: 20 ok, 2 oom, 1 without a result`; with repeats `3 cases, 15 launches: 15 ok`."""
    cases, launches = _planned(results)
    missing = launches - len(results)
    parts = [counts_text(Counter(result.outcome for result in results))] if len(results) else []
    parts += [f"{missing} without a result"] if missing else []
    whole = _count(cases, "case") + (f", {_count(launches, 'launch', 'launches')}" if launches > cases else "")
    return f"{whole}: {', '.join(parts)}" if parts else ""


def counts_text(outcomes: Mapping[str, int]) -> str:
    """`20 ok, 2 oom`."""
    return ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in OUTCOMES if outcomes.get(outcome))


def _planned(results: Results) -> tuple[int, int]:
    """How many cases are planned, and how many launches of them; at least as many as have a result."""
    found, repeats = Counter(result.key for result in results), results.run.get("repeats", {})
    cases = {(experiment, case) for experiment, case in results.run.get("cases", ())} | set(found)
    return len(cases), sum(max(found[key], repeats.get("/".join(key), 1)) for key in cases)


def _count(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def no_results_text(results: Results) -> str:
    """The text to show if there is no result."""
    return one_line(f"No results: no case of '{results.name}' has ended yet.")


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


def _section(title: str, group: Sequence[Result], known: Published, results: Results) -> Section:
    axes, shown = axis_columns(group), shown_metrics(group)
    scaling = _efficiency_columns(group)
    first = shown[: max(1, MAX_COLUMNS - len(axes) - len(scaling) - 1)]
    experiment = group[0].experiment
    changes = [results.changes(result) for result in group]
    return Section(
        title=title,
        table=[
            *axes,
            _marked(outcome_column(group), changes),
            *(metric_column(group, metric) for metric in first),
            *scaling,
        ],
        details=_details(group, axes, first),
        published=known.table(experiment),
        notes=[
            *_medians(group),
            *_searched(group, results),
            *_failures(group, results),
            *_warnings(group),
            *_uneven(group),
            *_not_measured(group, shown),
            *_other_figures(shown, results.run.get("other_figures")),
            *_changed(group, changes),
            *_no_currency(group),
            *known.differences(experiment),
        ],
        answers=_answers(group, axes),
    )


def _searched(group: Sequence[Result], results: Results) -> list[str]:
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


def _efficiency_columns(group: Sequence[Result]) -> list[Column]:
    """The parallel efficiency of each case, where numbers of processes vary."""
    found = efficiencies(group)
    numbers = [found.get(result.case) for result in group]
    cells = ["" if number is None else f"{number:.0%}" for number in numbers]
    return [Column("parallel efficiency", cells, right=True, numbers=numbers)] if found else []


def _answers(group: Sequence[Result], axes: Sequence[Column]) -> list[Column]:
    """A row per prompt of each case that was asked, with the answer."""
    rows = [(number, answer) for number, result in enumerate(group) for answer in result.answers]
    if not rows:
        return []
    return [
        *(replace(axis, cells=[axis.cells[number] for number, _ in rows], numbers=None) for axis in axes),
        Column("prompt", [brief(one_line(answer["prompt"])) for _, answer in rows]),
        Column("answer", [_said(answer["text"]) for _, answer in rows]),
    ]


def _said(text: str) -> str:
    """An answer in a line; one of white space alone is no empty one."""
    return brief(one_line(text)) or (f"(white space: {len(text)} characters)" if text else "")


def _details(group: Sequence[Result], axes: Sequence[Column], first: Sequence[str]) -> list[Column]:
    """A row per case with the metrics that are not in the first table; empty if there are none."""
    others = [metric for metric in METRICS if metric not in first and any(metric in each.numbers for each in group)]
    return [*axes, *(metric_column(group, metric) for metric in others)] if others else []


def _marked(column: Column, changes: Sequence[Sequence[str]]) -> Column:
    """A column with a mark in the cells of results that depend on something that is no longer as it was."""
    cells = [f"{cell} {CHANGED}" if found else cell for cell, found in zip(column.cells, changes, strict=True)]
    return replace(column, cells=cells)


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


def _without_result(results: Results) -> list[str]:
    cases, launches = _planned(results)
    missing = launches - len(results)
    what = _count(cases, "case") if launches == cases else _count(launches, "launch", "launches")
    return [f"{missing} of {what} {'has' if missing == 1 else 'have'} no result yet"] if missing > 0 else []


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
    return [
        f"{'every case' if len(names) == len(group) > 1 else ', '.join(names)}: warning: {brief(warning)}"
        for warning, names in cases.items()
    ]


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


def _changed(group: Sequence[Result], changes: Sequence[Sequence[str]]) -> list[str]:
    """Lines that say what is no longer as it was when these results were measured."""
    cases: dict[str, list[str]] = {}
    for result, found in zip(group, changes, strict=True):
        if found:
            cases.setdefault("; ".join(map(one_line, found)), []).append(result.case)
    return [
        f"{CHANGED} changed since this was measured: {found} ({_named(group, names)})" for found, names in cases.items()
    ]


def _named(group: Sequence[Result], cases: Sequence[str]) -> str:
    return "every case" if len(cases) == len(group) else ", ".join(cases)


def _bases(result: Result, shown: Sequence[str]) -> Mapping[str, str]:
    """`projected` or `predicted` -> the labels of those shown metrics, joined."""
    labels = {
        basis: [
            METRICS[metric].label for metric in shown if metric in result.numbers and result.basis.get(metric) == basis
        ]
        for basis in dict.fromkeys(result.basis.values())
    }
    return {basis: ", ".join(found) for basis, found in labels.items() if found}
