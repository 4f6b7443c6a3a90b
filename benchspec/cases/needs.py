"""What each case will need, as far as that is known without running or downloading anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchspec.cases.case import Case
from benchspec.spec.spec import Spec
from benchspec.terms.errors import PluginError
from benchspec.terms.harmless import json_text
from benchspec.terms.units import duration_text, size_text

#: weights, gradients and Adam's two moments, each in float32
STATE_BYTES = 16
_HEADS = ["case", "parameters", "state", "dataset", "backend", "processes", "rows/step", "length", "timeout"]
_NUMBERS = ("parameters", "state", "processes", "rows/step", "length")


def as_json(spec: Spec, cases: Sequence[Case]) -> str:
    plans = [{**case.to_json(), "needs": needs(spec, case)} for case in cases]
    return json_text(plans)


def needs(spec: Spec, case: Case) -> dict[str, Any]:
    """Processes, rows, steps and the size of the model; None where a figure is not known."""
    plugins = {
        kind: spec.registry.create(kind, case.fields[kind]) for kind in ("launcher", "model", "dataset", "recipe")
    }
    try:
        return _needs(case, *plugins.values())
    except Exception as error:
        names = ", ".join(str(spec.registry.find(kind, case.fields[kind]["name"]).origin) for kind in plugins)
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"{case.id}: a plugin cannot tell what the case needs ({names}): {reason}") from error


def _needs(case: Case, launcher: Any, model: Any, dataset: Any, recipe: Any) -> dict[str, Any]:
    rows, processes, shape = _whole(dataset.size()), launcher.processes(), model.shape()
    steps = recipe.steps(rows, case.train, processes) if rows else case.train["max_steps"]
    return {
        "processes": processes,
        "hosts": _whole(launcher.hosts()),
        "rows_per_step": case.train["batch_size"] * case.train["gradient_accumulation"] * processes,
        "rows": rows,
        "steps": _whole(steps),
        "parameters": shape.parameters if shape else None,
        "training_state_bytes": shape.parameters * STATE_BYTES if shape else None,
        "shape": asdict(shape) if shape else None,
        "timeout": case.limits["timeout"],
    }


def _whole(number: Any) -> int | None:
    if number is not None and not isinstance(number, int):
        raise TypeError(f"{number!r} is not an integer or None")
    return number


def as_table(spec: Spec, cases: Sequence[Case]) -> str:
    from tabulate import tabulate

    rows = [_row(case, needs(spec, case)) for case in cases]
    aligned = ["right" if head in _NUMBERS else "left" for head in _HEADS]
    table = tabulate(rows, _HEADS, tablefmt="simple", disable_numparse=True, colalign=aligned if rows else None)
    count = f"{len(cases)} case{'' if len(cases) == 1 else 's'}"
    note = f"state: weights, gradients and Adam's moments, {STATE_BYTES} bytes a parameter; a backend that shards"
    return f"{table}\n\n{count}. {note} spreads it over the processes. Activations come on top."


def _row(case: Case, need: dict[str, Any]) -> list[str]:
    state = need["training_state_bytes"]
    return [
        f"{case.experiment}/{case.id}",
        _count(need["parameters"]),
        size_text(state) if state else "?",
        _dataset(case, need["rows"]),
        case.backend["name"],
        str(need["processes"]),
        str(need["rows_per_step"]),
        _length(case),
        duration_text(need["timeout"]) if need["timeout"] else "none",
    ]


def _count(parameters: int | None) -> str:
    if parameters is None:
        return "?"
    return f"{parameters / 1e9:,.2f} G" if parameters >= 1e9 else f"{parameters / 1e6:,.2f} M"


def _dataset(case: Case, rows: int | None) -> str:
    name = str(case.dataset["name"])
    return name if rows is None else f"{name}, {rows:,} rows"


def _length(case: Case) -> str:
    steps = case.train["max_steps"]
    epochs = case.train["epochs"]
    return f"{steps} steps" if steps else f"{epochs:g} epoch{'' if epochs == 1 else 's'}"
