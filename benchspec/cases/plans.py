"""The cases of a spec as `benchspec plan` shows them: what each needs, and what is done already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from benchspec.cases import costs
from benchspec.cases.case import Case, Launch
from benchspec.cases.needs import TRAINED_BYTES, WEIGHT_BYTES, Needed
from benchspec.kinds.values import Facts
from benchspec.results.result import Result
from benchspec.terms.errors import PluginError
from benchspec.terms.fitting import UNLIMITED, fitted
from benchspec.terms.harmless import json_text
from benchspec.terms.units import count_text, duration_text, size_text

_HEADS = ["case", "parameters", "state", "dataset", "backend", "processes", "rows/step", "length", "timeout"]
_WRAPPED = ("dataset", "result")
_NUMBERS = ("parameters", "state", "processes", "rows/step", "length")


@dataclass(frozen=True)
class Plan:
    """A case that is planned: what it needs, and how it ended if it has run before."""

    case: Case
    needs: Mapping[str, Any]
    #: the outcome of its latest result in the run directory; None without one
    outcome: str | None
    #: how many of its launches `run` has left
    left: int

    @property
    def done(self) -> bool:
        """Whether `run` keeps its results; otherwise it runs the case."""
        return not self.left


def planned(needed: Needed, cases: Sequence[Case], results: Iterable[Result], left: Iterable[Launch]) -> list[Plan]:
    """The plans of cases; `results` are earlier ones, and `left` the launches that `run` starts.

    Raises `PluginError` where a plugin failed to tell what a case needs.
    """
    outcomes = {result.key: result.outcome for result in results}
    waiting = Counter(launch.case.key for launch in left)
    return [Plan(case, _known(needed[case.key]), outcomes.get(case.key), waiting[case.key]) for case in cases]


def _known(need: dict[str, Any] | PluginError) -> dict[str, Any]:
    if isinstance(need, PluginError):
        raise need
    return need


def as_json(plans: Sequence[Plan], published: Mapping[Any, float] | None = None) -> str:
    """The plans for other programs; `published` as in `as_table`."""
    return json_text([{**plan.case.to_json(), **_told(plan, published or {})} for plan in plans])


def _told(plan: Plan, published: Mapping[Any, float]) -> dict[str, Any]:
    seconds = published.get(plan.case.key)
    return {"needs": plan.needs, "outcome": plan.outcome, "done": plan.done, "published_seconds": seconds}


def as_table(
    plans: Sequence[Plan],
    folder: Path | None,
    width: int,
    published: Mapping[Any, float] | None = None,
    facts: Facts | None = None,
) -> str:
    """The plans as text; `folder` is the run directory whose results they know, if there is one.

    `published` are the published times of trainings, in seconds, by case, and `facts` those of the machine, for its
    price.

    If the table is wider than `width`, columns that are the same for all cases become a line above it, and then cases
    stand on two lines.
    """
    heads = [*_HEADS, "result"] if folder else _HEADS
    rows = [[*_row(plan.case, plan.needs), *([_result(plan)] if folder else [])] for plan in plans]
    table = _fitted(heads, rows, width)
    count = f"{len(plans)} case{'' if len(plans) == 1 else 's'}{_done(plans, folder) if folder else ''}"
    note = (
        f"state: weights, gradients and Adam's moments, {WEIGHT_BYTES} bytes a parameter and {TRAINED_BYTES} more for "
        "each that is trained; a backend that shards"
    )
    cost = costs.text(plans, published or {}, facts)
    text = f"{count}. {note} spreads it over the processes. Activations come on top. {cost}"
    return f"{table}\n\n{fill(text.strip(), width)}"


def _fitted(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """The widest form of the table that fits a width, or the narrowest."""
    table = _table(heads, rows, UNLIMITED)
    if _fits(table, width) or len(rows) < 2:
        return table
    columns = dict(zip(heads, zip(*rows, strict=True), strict=True))
    same = {head: cells[0] for head, cells in columns.items() if len(set(cells)) == 1}
    above = (
        fill("All cases: " + ", ".join(f"{head} {cell}" for head, cell in same.items()), width) + "\n\n" if same else ""
    )
    varying = {head: cells for head, cells in columns.items() if head not in same}
    table = _of_columns(varying, width)
    if not _fits(table, width) and "case" in varying:
        table = _of_columns({**varying, "case": [cell.replace("/", "/\n") for cell in varying["case"]]}, width)
    return above + table


def _of_columns(columns: Mapping[str, Sequence[str]], width: int) -> str:
    return _table(list(columns), list(zip(*columns.values(), strict=True)), width)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    wrapped, right = ([heads.index(head) for head in names if head in heads] for names in (_WRAPPED, _NUMBERS))
    return fitted(rows, heads, width, wrapped, right)


def _fits(table: str, width: int) -> bool:
    return max(map(len, table.splitlines())) <= width


def _result(plan: Plan) -> str:
    if plan.outcome is None:
        return "none yet"
    if plan.done:
        return plan.outcome
    again = "runs again" if plan.case.repeats == 1 else f"{plan.left} of {plan.case.repeats} launches to run"
    return f"{plan.outcome}; {again}"


def _done(plans: Sequence[Plan], folder: Path) -> str:
    done = sum(plan.done for plan in plans)
    return f"; {done} done in {folder}, {len(plans) - done} to run"


def _row(case: Case, need: Mapping[str, Any]) -> list[str]:
    state = need["training_state_bytes"]
    return [
        case.full_name,
        count_text(need["parameters"]) if need["parameters"] else "?",
        size_text(state) if state else "?",
        _dataset(case, need),
        case.backend["name"],
        str(need["processes"]),
        str(need["rows_per_step"]),
        _length(case, need["steps"]),
        duration_text(need["timeout"]) if need["timeout"] else "none",
    ]


def _dataset(case: Case, need: Mapping[str, Any]) -> str:
    """The data set and its rows; none if nothing is trained."""
    name, rows = str(case.dataset["name"]), need["rows"]
    if need["steps"] == 0:
        return "none"
    return name if rows is None else f"{name}, {rows:,} rows"


def _length(case: Case, planned: int | None) -> str:
    """How much there is to do: `3 epochs, 8 prompts`; nothing is trained in 0 planned steps."""
    steps, epochs = case.train["max_steps"], case.train["epochs"]
    training = f"{steps} steps" if steps else f"{epochs:g} epoch{'' if epochs == 1 else 's'}"
    if case.sampled_to is not None and planned != 0:
        training += f", sampled to {100 * case.sampled_to:.3g}%"
    asked = len(case.query["prompts"]) if case.query else 0
    prompts = f"{asked} prompt{'' if asked == 1 else 's'}" if asked else ""
    length = ", ".join(filter(None, ("" if planned == 0 else training, prompts)))
    return f"{case.repeats} × {length}" if case.repeats > 1 else length
