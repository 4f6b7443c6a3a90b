"""A comparison of two runs as text: for a terminal, as Markdown, as JSON, and for systems that read JUnit's XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from textwrap import fill
from typing import Any

from benchspec.reports import markdown
from benchspec.reports.cells import ABSENT, field_text, metric_text, ratio_text
from benchspec.reports.report import Column
from benchspec.results.comparing.comparison import VERDICTS, Comparison, Pair
from benchspec.terms.fitting import fitted
from benchspec.terms.harmless import brief, json_text, one_line
from benchspec.terms.metrics import METRICS
from benchspec.terms.strict import without_infinities

#: the verdicts by which a system for tests takes a case as failed, and as not run
_FAILED, _SKIPPED = ("worse",), ("undecided", "not comparable")
#: the columns whose cells may go on in the next line
_WRAPPED = ("case", "change (interval)")
#: characters of a line of text
WIDTH = 110
#: what the numbers are
_WHAT = "geometric means of launches, intervals of 99.5% over all cases"
#: the largest ratio that an end of an interval shows
FARTHEST = 100


def headline(comparison: Comparison) -> str:
    """How many cases there are of each verdict: `rows/s: 1 worse, 3 same (a change by up to 2% is none)`."""
    counts = Counter(pair.verdict for pair in comparison.pairs)
    parts = [f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict]]
    label = METRICS[comparison.metric].label
    return f"{label}: {', '.join(parts)} (a change by up to {100 * comparison.threshold:g}% is none)"


def columns(comparison: Comparison) -> list[Column]:
    """A row per case."""
    pairs = comparison.pairs
    means = [[_number(comparison, pair, side) for pair in pairs] for side in (0, 1)]
    return [
        Column("case", [label(pair) for pair in pairs]),
        Column("verdict", [pair.verdict for pair in pairs]),
        Column("base", means[0], right=True),
        Column("head", means[1], right=True),
        Column("change (interval)", [change_text(pair) for pair in pairs], right=True),
        Column("launches", [" / ".join(map(str, pair.launches)) for pair in pairs], right=True),
    ]


def notes(comparison: Comparison) -> list[str]:
    """The reasons, each once, with the cases that have it."""
    cases: dict[str, list[str]] = {}
    for pair in comparison.pairs:
        for reason in pair.reasons:
            cases.setdefault(brief(reason), []).append(label(pair))
    every = len(comparison.pairs)
    return [
        f"{'every case' if len(found) == every > 1 else '; '.join(found)}: {reason}" for reason, found in cases.items()
    ]


def label(pair: Pair) -> str:
    """A case in a few words: `sizes: model opt-6.7b, rows 10,000`."""
    return label_of(pair.experiment, pair.axes)


def label_of(experiment: str, values: Mapping[str, Any]) -> str:
    """The same of an experiment and what its matrix varied."""
    axes = [f"{path.split('.')[-1]} {field_text(value)}" for path, value in values.items()]
    return one_line(f"{experiment}: {', '.join(axes)}" if axes else experiment)


def change_text(pair: Pair) -> str:
    """How head differs from base: `-5.0% (-6.8% to -3.2%)`; `3.10× (2.90× to 3.31×)` for a large change."""
    if pair.ratio is None:
        return ABSENT
    text = _form(pair.ratio)
    ends = f" ({' to '.join(_end(end, text) for end in pair.interval)})" if pair.interval else ""
    return f"{text(pair.ratio)}{ends}"


def _end(ratio: float, text: Callable[[float], str]) -> str:
    """An end of an interval; of few launches it can be so far away that its number says nothing."""
    if ratio > FARTHEST:
        return f"over {FARTHEST}×"
    return f"under 1/{FARTHEST}" if ratio < 1 / FARTHEST else text(ratio)


def change_text_of(ratio: float) -> str:
    """A change alone: `-5.0%`, `3.10×`."""
    return _form(ratio)(ratio)


def _form(ratio: float) -> Callable[[float], str]:
    return _percent if 0.5 < ratio < 1.5 else ratio_text


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f}%"


def _number(comparison: Comparison, pair: Pair, side: int) -> str:
    mean = pair.means[side]
    return ABSENT if mean is None else metric_text(comparison.metric, mean, pair.currency)


def as_table(comparison: Comparison, width: int = WIDTH) -> str:
    """For a terminal of so many characters."""
    found = columns(comparison)
    rows = list(zip(*(column.cells for column in found), strict=True))
    right = [place for place, column in enumerate(found) if column.right]
    wrapped = [place for place, column in enumerate(found) if column.heading in _WRAPPED]
    table = fitted(rows, [column.heading for column in found], width, wrapped, right)
    runs = f"base {comparison.base}\nhead {comparison.head}\n{_WHAT}"
    lines = "\n".join(
        fill(note, min(width, WIDTH), subsequent_indent="  ", break_long_words=False) for note in notes(comparison)
    )
    return "\n\n".join(filter(None, (f"{headline(comparison)}\n{runs}", table, lines)))


def as_markdown(comparison: Comparison) -> str:
    """For a pull request."""
    runs = f"base {comparison.base}, head {comparison.head}; {_WHAT}"
    head = f"**{markdown.escape(headline(comparison))}**\n\n{markdown.paragraph(runs)}"
    return "\n\n".join(filter(None, (head, markdown.table(columns(comparison)), markdown.bullets(notes(comparison)))))


def as_json(comparison: Comparison) -> str:
    """For other programs; docs/compare.md describes it."""
    return json_text(without_infinities(comparison.to_json()), indent=2)


def as_junit(comparison: Comparison) -> str:
    """A test suite whose tests are the cases: one that is worse failed, one that nothing can be said of was skipped."""
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    verdicts = Counter(pair.verdict for pair in comparison.pairs)
    suite = Element("testsuite", name=f"benchspec compare {one_line(comparison.metric)}")
    for key, names in (("tests", VERDICTS), ("failures", _FAILED), ("skipped", _SKIPPED)):
        suite.set(key, str(sum(verdicts[name] for name in names)))
    for pair in comparison.pairs:
        test = SubElement(suite, "testcase", classname=one_line(pair.experiment), name=label(pair))
        reasons = [*map(brief, pair.reasons)]
        said = f"{pair.verdict}: {reasons[0] if pair.ratio is None and reasons else change_text(pair)}"
        kind = "failure" if pair.verdict in _FAILED else "skipped" if pair.verdict in _SKIPPED else "system-out"
        inner = SubElement(test, kind, {} if kind == "system-out" else {"message": said})
        inner.text = "\n".join([said, *reasons])
    indent(suite)
    return tostring(suite, encoding="unicode", xml_declaration=True)


def shown(comparison: Comparison, form: str, width: int) -> str:
    """In a form; a table is for a terminal of so many characters."""
    return as_table(comparison, width) if form == "table" else FORMATS[form](comparison)


#: the forms for other places than a terminal
FORMATS: Mapping[str, Callable[[Comparison], str]] = {
    "markdown": as_markdown,
    "json": as_json,
    "junit": as_junit,
}
