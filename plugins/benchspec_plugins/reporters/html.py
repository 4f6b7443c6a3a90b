"""Results as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from benchspec import Plugin, Reporter, hookimpl

if TYPE_CHECKING:
    from markupsafe import Markup

    from benchspec.reports import Column, Section
    from benchspec.results import Result, Results

#: steps in the figure of a case; of more, every n-th is drawn, so that the page stays small
STEPS = 200
#: cases with a figure of their steps; of more, none has, and the page says where they are
FIGURES = 60


class Html(Reporter):
    """One page for a browser, `report.html`: verdicts, sortable tables, figures, and each case's steps and log.

    It follows the reader's light or dark setting, prints, and can be used with the keyboard and a screen reader. It is
    not printed on the terminal.
    """

    name = "html"
    suffix = ".html"
    printed = False

    def missing(self, online: bool) -> Sequence[str]:
        from benchspec_plugins.reporters.figures import lacking

        return lacking()

    def render(self, results: Results) -> str:
        from benchspec.reports import build_report, by_experiment, no_results_text
        from benchspec_plugins.reporters.figures import check

        check()
        environment = _environment()
        report = build_report(results)
        groups = list(by_experiment(results.by_case()).values())
        with_steps = len(results) <= FIGURES
        page: str = environment.get_template("page.html.jinja").render(
            report=report,
            sections=[
                _section(section, group, results, with_steps)
                for section, group in zip(report.sections, groups, strict=True)
            ],
            empty=no_results_text(results),
            run=list(_run(results)),
            style=_markup(_file("page.css")),
            script=_markup(_file("page.js")),
        )
        return page


class Cell(NamedTuple):
    """A cell of a table; `sort` is the number to sort by, None for text."""

    text: str
    right: bool
    sort: float | None


class Row(NamedTuple):
    """A row of a table."""

    number: int
    cells: Sequence[Cell]


def _environment() -> Any:
    from jinja2 import DictLoader, Environment, StrictUndefined

    loader = DictLoader({"page.html.jinja": _file("page.html.jinja")})
    environment = Environment(autoescape=True, undefined=StrictUndefined, loader=loader, trim_blocks=True)
    environment.filters["rows"] = _rows
    return environment


def _file(name: str) -> str:
    return (files("benchspec_plugins.reporters") / "page" / name).read_text(encoding="utf-8")


def _markup(text: str) -> Markup:
    """Text of our own that is markup already."""
    from markupsafe import Markup

    return Markup(text)


def _rows(columns: Sequence[Column]) -> list[Row]:
    return [Row(number, row) for number, row in enumerate(zip(*map(_cells, columns), strict=True))]


def _cells(column: Column) -> list[Cell]:
    numbers = column.numbers or [None] * len(column.cells)
    return [Cell(text, column.right, number) for text, number in zip(column.cells, numbers, strict=True)]


def _section(section: Section, group: Sequence[Result], results: Results, with_steps: bool) -> dict[str, Any]:
    launched = [_launches(result) for result in group]
    return {
        "title": section.title,
        "table": section.table,
        "published": section.published,
        "details": section.details,
        "answers": section.answers,
        "notes": section.notes,
        "figures": list(_figures(group[0].experiment, results)),
        "anchors": [_anchor(group[0].experiment, found[0].name) for found in launched],
        "cases": [_case(launch, results, with_steps) for found in launched for launch in found],
    }


def _figures(experiment: str, results: Results) -> Iterator[dict[str, Any]]:
    from benchspec.reports import charts
    from benchspec_plugins.reporters.drawing import drawn
    from benchspec_plugins.reporters.figures import spans_decades

    for chart in charts(results):
        if chart.name == experiment:
            what = f"{chart.y_label} over {chart.x_label}"
            yield {"svg": _svg(drawn(chart), f"{chart.title}: {what}"), "caption": what}
            if spans_decades(chart):
                caption = f"{what}, both axes in powers of ten"
                yield {"svg": _svg(drawn(chart, logarithmic=True), f"{chart.title}: {caption}"), "caption": caption}


def _svg(figure: Any, label: str) -> Markup:
    """A figure to stand in the page, named for screen readers."""
    from html import escape

    from benchspec.reports.style import rendered

    text = rendered(figure)["svg"].decode()
    body = text[text.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
    # Ids must differ between the figures of a page.
    unique = re.sub(r"[^a-z0-9]+", "-", label.lower())
    body = re.sub(r'\bid="([^"]+)"', rf'id="{unique}-\1"', body)
    body = re.sub(r'(xlink:href|href)="#([^"]+)"', rf'\1="#{unique}-\2"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{unique}-\1)", body)
    return _markup(re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL))


class Launched(NamedTuple):
    """A launch of a case, and how it is called: where it is the only one, by its case."""

    name: str
    result: Result


def _launches(result: Result) -> list[Launched]:
    found = result.launches
    several = len(found) > 1
    return [Launched(f"{each.case}, launch {each.launch}" if several else each.case, each) for each in found]


def _anchor(experiment: str, name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", f"case-{experiment}-{name}")


def _case(launched: Launched, results: Results, with_steps: bool) -> dict[str, Any]:
    from benchspec.terms.harmless import brief, json_text, one_line, printable

    name, result = launched
    where = f" in {result.phase}" if result.phase else ""
    facts = {"record": result.record, "proof": result.proof, "attempt": result.attempt, "axes": result.axes}
    return {
        "name": one_line(name),
        "anchor": _anchor(result.experiment, name),
        "ending": f"{result.outcome}{where}",
        "reason": brief(result.reason) if result.reason else "",
        "log": printable("\n".join(result.log)),
        "steps": _steps(launched, results) if with_steps else "",
        "profile": _profile(result, results),
        "facts": json_text({key: value for key, value in facts.items() if value}),
    }


def _profile(result: Result, results: Results) -> list[Column]:
    """Where the time of the profiled steps went; empty without a profile, and for further launches."""
    from benchspec.reports import Column
    from benchspec.results import profiles

    found = profiles.read(results.folder, *result.key) if results.folder and result.launch == 1 else None
    if not found:
        return []
    seconds = [each.seconds for each in found.operations]
    shares = [each / found.seconds if found.seconds else 0 for each in seconds]
    calls = [each.calls for each in found.operations]
    return [
        Column("operation", [each.name[:120] for each in found.operations]),
        Column("calls", [f"{count:,}" for count in calls], right=True, numbers=calls),
        Column("time", [f"{each * 1e3:,.1f} ms" for each in seconds], right=True, numbers=seconds),
        Column("share", [f"{share:.1%}" for share in shares], right=True, numbers=shares),
    ]


def _steps(launched: Launched, results: Results) -> Markup | str:
    from benchspec_plugins.reporters.drawing import drawn_steps

    steps = results.steps(launched.result)
    if not steps:
        return ""
    every = -(-len(steps) // STEPS)
    name = f"{launched.result.experiment}/{launched.name}"
    title = name + (f", every {every}th step" if every > 1 else "")
    return _svg(drawn_steps(title, steps[::every]), f"steps of {name}")


def _run(results: Results) -> Iterator[tuple[str, str]]:
    """Titles and texts of what the run was made of."""
    import yaml

    from benchspec.terms.harmless import json_text, printable

    run = results.run
    if run.get("spec"):
        yield "The resolved spec", printable(yaml.safe_dump(run["spec"], sort_keys=False, allow_unicode=True))
    if run.get("machine"):
        yield "The machine and its software", json_text(run["machine"])
    if run.get("plugins"):
        yield "Packages of plugins", printable("\n".join(run["plugins"]))
    if run.get("command"):
        yield "The command", printable(" ".join(run["command"]))


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Html]
