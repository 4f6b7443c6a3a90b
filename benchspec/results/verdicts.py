"""Published values compared with what was measured.

This is the only place that compares them: `Results.verdicts` holds the verdicts, and reports show them. What a spec
says is published stands in run.json as *statements*: each a mapping with

    source, hardware   where it was published, and on which machine (None: it does not depend on one)
    metric             None for an outcome
    kind               value, below, above, between, outcome, ordering or slope
    published          in the metric's unit; for an ordering, the values of `by` from the metric's lowest to its highest
    tolerance          of a value or a slope, as a share of it
    where, given       as the spec says them
    by                 of an ordering: the field whose values it names
    per                of a slope: {field: by how much it grows}
    experiment         and `named`, whether the spec names it: if not, only cases that meet `given` are meant
    cases              what it is a statement of: mappings {case, at, differences}; `at` is the value of the field that
                       `by` or `per` names, `differences` the fields of the case that are not as published
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from benchspec.results.deviation import agrees, beside
from benchspec.results.regression import Line, fit_line
from benchspec.results.result import Result
from benchspec.terms.metrics import METRICS, is_count

#: a published value, the measured one, and how they compare
Verdict = Mapping[str, Any]
Statement = Mapping[str, Any]
#: a case of a statement, with its result
Pair = tuple[Mapping[str, Any], Result]

#: every verdict, in the order in which a line of them lists them
VERDICTS = ("reproduced", "better", "worse", "differs", "other machine", "not comparable", "not run")
#: the share of the variance that a straight line must explain, over at least so many points
LINEAR, POINTS = 0.98, 3


def judge(statements: Sequence[Statement], results: Iterable[Result], hardware: str | None) -> list[Verdict]:
    """The verdicts on what was published, in the order of the statements; `hardware` is the machine of the results."""
    found = {result.key: result for result in results}
    return [verdict for statement in statements for verdict in _verdicts(statement, found, hardware)]


def headline(verdicts: Sequence[Verdict]) -> str:
    """How many verdicts of each kind there are: `9 of 12 published values reproduced, 2 better; 11 not run`."""
    counts = {name: sum(verdict["verdict"] == name for verdict in verdicts) for name in VERDICTS}
    judged = [name for name in VERDICTS[:4] if counts[name]]
    parts = [f"{counts[name]} {name}" for name in judged if name != "reproduced"]
    total = sum(counts[name] for name in judged)
    if total:
        values = f"published value{'' if total == 1 else 's'}"
        parts.insert(0, f"{counts['reproduced']} of {total} {values} reproduced")
    rest = ", ".join(f"{counts[name]} {name}" for name in VERDICTS[4:] if counts[name])
    return "; ".join(filter(None, (", ".join(parts), rest)))


def by_case(verdicts: Iterable[Verdict]) -> dict[tuple[str, str], list[Verdict]]:
    """(experiment, case) -> the verdicts on that case alone; a case without published values is absent."""
    cases: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict["case"] is not None:
            cases.setdefault((verdict["experiment"], verdict["case"]), []).append(verdict)
    return cases


def _verdicts(statement: Statement, results: Mapping[tuple[str, str], Result], hardware: str | None) -> list[Verdict]:
    """One verdict, or for a slope two: of the slope and of the line; none if other cases are meant."""
    there = [
        (case, result)
        for case in statement["cases"]
        if (result := results.get((statement["experiment"], case["case"]))) is not None
    ]
    if not statement["named"] and there and _differences(statement, there):
        return []
    kinds = ("slope", "linear") if statement["kind"] == "slope" else (statement["kind"],)
    return [_verdict(statement, kind, there, hardware) for kind in kinds]


def _verdict(statement: Statement, kind: str, there: Sequence[Pair], hardware: str | None) -> Verdict:
    judged = _judged(statement, kind, there)
    verdict = {
        **{key: statement.get(key) for key in ("source", "hardware", "experiment", "where", "metric", "by", "per")},
        "case": statement["cases"][0]["case"] if len(statement["cases"]) == 1 else None,
        "kind": kind,
        "published": _published(statement, kind),
        "measured": None,
        "ratio": None,
        "interval": None,
        "basis": None,
        "differences": _differences(statement, there),
    }
    if judged is None:
        return {**verdict, "verdict": "not run", "words": _not_run(statement, there, kind)}
    found = {**verdict, **judged}
    if verdict["differences"]:
        return {**found, "verdict": "not comparable", "words": _difference_words(verdict["differences"])}
    if statement["hardware"] and statement["hardware"] != hardware and _depends_on_machine(statement, kind):
        words = f"{judged['words']}; published on {statement['hardware']}"
        return {**found, "verdict": "other machine", "words": words}
    return found


def _published(statement: Statement, kind: str) -> Any:
    return LINEAR if kind == "linear" else statement["published"]


def _depends_on_machine(statement: Statement, kind: str) -> bool:
    return kind in ("value", "below", "above", "between", "slope") and not is_count(statement["metric"])


def _judged(statement: Statement, kind: str, there: Sequence[Pair]) -> dict[str, Any] | None:
    """What was measured and how it compares, if nothing speaks against comparing it; None if nothing was measured."""
    if kind == "outcome":
        return _outcome(statement, there)
    usable = [(case, result) for case, result in there if statement["metric"] in result.numbers]
    return _JUDGES.get(kind, _number)(statement, usable)


def _outcome(statement: Statement, there: Sequence[Pair]) -> dict[str, Any] | None:
    # Out of memory beside another's memory says nothing of the case, and what was skipped did not run.
    every = there[0][1].launches if there else []
    launches = [each for each in every if not each.beside_others and each.outcome != "skipped"]
    if not launches:
        return None
    counts = Counter(each.outcome for each in launches)
    same = set(counts) == {statement["published"]}
    outcome = next(iter(counts))
    if len(counts) > 1:
        outcome = ", ".join(f"{count} {each}" for each, count in sorted(counts.items()))
    words = f"{outcome}, as published" if same else f"{outcome}, not {statement['published']}"
    return {"measured": outcome, "verdict": "reproduced" if same else "differs", "words": words}


def _number(statement: Statement, usable: Sequence[Pair]) -> dict[str, Any] | None:
    """A value, a bound or a range."""
    if not usable:
        return None
    measured = usable[0][1].metrics[statement["metric"]]
    interval = usable[0][1].intervals.get(statement["metric"])
    verdict, words, ratio = beside(statement, measured)
    return {
        "measured": measured,
        "ratio": ratio,
        "interval": [end / statement["published"] for end in interval] if interval and ratio is not None else None,
        "basis": usable[0][1].basis.get(statement["metric"]),
        "verdict": verdict,
        "words": words,
    }


def _ordering(statement: Statement, usable: Sequence[Pair]) -> dict[str, Any] | None:
    """Whether the cases that ran come in the published order; the others are named."""
    found: dict[str, list[float]] = {}
    values = {_name(value): value for value in statement["published"]}
    for case, result in usable:
        found.setdefault(_name(case["at"]), []).append(result.metrics[statement["metric"]])
    published = [name for name in map(_name, statement["published"]) if name in found]
    if len(published) < 2:
        return None
    measured = sorted(published, key=lambda name: found[name])
    # Of several cases with one name, such as two stages of a backend, each must be in its place.
    same = all(max(found[one]) <= min(found[other]) for one, other in pairwise(published))
    missing = [name for name in map(_name, statement["published"]) if name not in found]
    words = "in the published order" if same else f"measured: {' < '.join(measured)}"
    return {
        "measured": [values[name] for name in measured],
        "verdict": "reproduced" if same else "differs",
        "words": words + (f"; without {', '.join(missing)}" if missing else ""),
    }


def _slope(statement: Statement, usable: Sequence[Pair]) -> dict[str, Any] | None:
    """The slope of the line through the cases that ran, per what `per` says."""
    line = _line(statement, usable)
    if line is None:
        return None
    (amount,) = statement["per"].values()
    measured = line.slope * amount
    verdict, words, ratio = beside({**statement, "kind": "value"}, measured)
    ends = None
    if line.interval and ratio is not None:
        # What was published may be negative.
        ends = sorted(end * amount / statement["published"] for end in line.interval)
    return {
        "measured": measured,
        "ratio": ratio,
        "interval": ends,
        "verdict": verdict,
        "words": words,
    }


def _linear(statement: Statement, usable: Sequence[Pair]) -> dict[str, Any] | None:
    """Whether the cases that ran lie on a straight line."""
    line = _line(statement, usable)
    if line is None or line.points < POINTS:
        return None
    intercept = METRICS[statement["metric"]].unit
    words = f"R² {line.r_squared:.4f} over {line.points} points, intercept {line.intercept:.4g} {intercept}"
    return {
        "measured": line.r_squared,
        "verdict": "reproduced" if line.r_squared >= LINEAR else "differs",
        "words": words,
    }


def _line(statement: Statement, usable: Sequence[Pair]) -> Line | None:
    points = [(case["at"], result.metrics[statement["metric"]]) for case, result in usable]
    return fit_line([(float(at), measured) for at, measured in points if type(at) in (int, float)])


_JUDGES: Mapping[str, Callable[[Statement, Sequence[Pair]], dict[str, Any] | None]] = {
    "ordering": _ordering,
    "slope": _slope,
    "linear": _linear,
}


def _differences(statement: Statement, there: Sequence[Pair]) -> list[dict[str, Any]]:
    """The conditions that do not hold for any of the cases, each once: fields of the case, then metrics."""
    found = [difference for case in statement["cases"] for difference in case["differences"]]
    for _, result in there:
        for metric, published in (statement.get("given") or {}).items():
            here = result.metrics.get(metric)
            # A case that failed may not have got as far as measuring it.
            if metric in METRICS and not (here is None and result.outcome != "ok") and not agrees(here, published):
                found.append({"field": metric, "published": published, "here": here})
    return [difference for number, difference in enumerate(found) if difference not in found[:number]]


def _difference_words(differences: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{each['field']}: {_said(each['here'])}, published {'without' if each['published'] is None else 'with '}"
        f"{'' if each['published'] is None else _said(each['published'])}"
        for each in differences
    )


def _said(value: Any) -> str:
    return "none" if value is None else _name(value) if not isinstance(value, float) else f"{value:g}"


def _name(value: Any) -> str:
    """A value of a field: a plugin by its name."""
    return str(value["name"]) if isinstance(value, Mapping) and "name" in value else str(value)


def _not_run(statement: Statement, there: Sequence[Pair], kind: str) -> str:
    """Why there is nothing to compare."""
    measured = sum(statement["metric"] in result.numbers for _, result in there)
    if kind in ("slope", "linear") and 0 < measured == len(statement["cases"]):
        (path,) = statement["per"]
        least = 2 if kind == "slope" else POINTS
        if measured < least:
            return f"{measured} of at least {least} points"
        return f"fewer than {least} different numbers of {path}"
    outcomes = [
        f"{_name(case['at'])} {_ending(result)}" if len(statement["cases"]) > 1 else _ending(result)
        for case, result in there
        if result.outcome != "ok"
    ]
    if outcomes:
        return ", ".join(outcomes)
    missing = len(statement["cases"]) - len(there)
    if missing and len(statement["cases"]) > 1:
        return f"{missing} of {len(statement['cases'])} cases have no result"
    return "no result" if missing else f"without {statement['metric']}"


def _ending(result: Result) -> str:
    return f"{result.outcome} beside another's memory" if result.beside_others else result.outcome
