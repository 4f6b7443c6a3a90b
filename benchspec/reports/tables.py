"""Results -> a `Report`: tables as plain values, which each reporter formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import gmtime, strftime
from typing import Any

from benchspec.reports import published
from benchspec.reports.cells import field_text
from benchspec.reports.columns import (
    axis_columns,
    by_experiment,
    efficiency_columns,
    metric_column,
    outcome_column,
    shown_metrics,
)
from benchspec.reports.counts import count, counts_text, planned
from benchspec.reports.notes import CHANGED, notes
from benchspec.reports.published import Published
from benchspec.reports.report import Column, Report, Section
from benchspec.reports.searched import searched
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.results.scripts import told_apart
from benchspec.results.verdicts import headline
from benchspec.terms.harmless import brief, one_line
from benchspec.terms.metrics import METRICS

#: columns of a report's tables, axes and outcome included
MAX_COLUMNS = 7


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
    cases, launches = planned(results)
    missing = launches - len(results)
    parts = [counts_text(Counter(result.outcome for result in results))] if len(results) else []
    parts += [f"{missing} without a result"] if missing else []
    whole = count(cases, "case") + (f", {count(launches, 'launch', 'launches')}" if launches > cases else "")
    return f"{whole}: {', '.join(parts)}" if parts else ""


def no_results_text(results: Results) -> str:
    """The text to show if there is no result."""
    return one_line(f"No results: no case of '{results.name}' has ended yet.")


def _section(title: str, group: Sequence[Result], known: Published, results: Results) -> Section:
    axes, shown = axis_columns(group), shown_metrics(group)
    if "settings" in results.run and all(axis.heading != "case" for axis in axes):
        # The notes name cases by their ids, and those of scripts of one's own say nothing of the settings.
        axes = [*axes, Column("case", [result.case for result in group])]
    scaling = efficiency_columns(group)
    first = shown[: max(1, MAX_COLUMNS - len(axes) - len(scaling) - 1)]
    experiment = group[0].experiment
    return Section(
        title=title,
        table=[
            *axes,
            _marked(outcome_column(group), [bool(results.changes(result)) for result in group]),
            *(metric_column(group, metric) for metric in first),
            *scaling,
        ],
        details=_details(group, axes, first),
        published=known.table(experiment),
        notes=[*searched(group, results), *notes(group, shown, results), *known.differences(experiment)],
        answers=_answers(group, axes),
    )


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


def _marked(column: Column, changed: Sequence[bool]) -> Column:
    """A column with a mark in the cells of results that depend on something that is no longer as it was."""
    cells = [f"{cell} {CHANGED}" if mark else cell for cell, mark in zip(column.cells, changed, strict=True)]
    return replace(column, cells=cells)


def _without_result(results: Results) -> list[str]:
    cases, launches = planned(results)
    missing = launches - len(results)
    what = count(cases, "case") if launches == cases else count(launches, "launch", "launches")
    return [f"{missing} of {what} {'has' if missing == 1 else 'have'} no result yet"] if missing > 0 else []
