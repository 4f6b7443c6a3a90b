"""What each case will need, as far as that is known without running or downloading anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchspec.cases.case import Case
from benchspec.cases.expand import Expansion
from benchspec.kinds.bases import Method, Plugin
from benchspec.kinds.faults import explained, shape_of, share_of, whole
from benchspec.kinds.values import Shape
from benchspec.spec.spec import Spec
from benchspec.terms.errors import PluginError

#: bytes of a parameter in float32, and of the gradient and Adam's two moments of one that is trained
WEIGHT_BYTES, TRAINED_BYTES = 4, 12
#: the kinds that know what a case needs
_ASKED = ("launcher", "model", "dataset", "recipe", "method")


#: (experiment, case id) -> what the case needs
Needed = dict[tuple[str, str], dict[str, Any] | PluginError]


def needed(spec: Spec, expansion: Expansion) -> Needed:
    """What each case needs; a `PluginError` in its place where a plugin fails to tell."""
    found: Needed = {}
    for case in expansion.cases:
        try:
            found[case.key] = needs(spec, case, expansion.plugins[case.key])
        except PluginError as error:
            found[case.key] = error
    return found


def needs(spec: Spec, case: Case, plugins: Mapping[str, Plugin]) -> dict[str, Any]:
    """Processes, rows, steps and the size of the model; None where a figure is not known. `plugins` are the case's."""
    try:
        return _needs(case, *(plugins[kind] for kind in _ASKED))
    except Exception as error:
        reason = explained(error, spec.registry.packages)
        raise PluginError(f"{case.id}: a plugin cannot tell what the case needs: {reason}") from error


def _needs(case: Case, launcher: Any, model: Any, dataset: Any, recipe: Any, method: Any) -> dict[str, Any]:
    rows, processes, shape = whole(dataset.size, dataset.size()), launcher.processes(), shape_of(model)
    steps = recipe.steps(rows, case.train, processes) if rows else case.train["max_steps"]
    rows_per_step = case.train["batch_size"] * case.train["gradient_accumulation"] * processes
    if not method.trains:
        rows, steps, rows_per_step = 0, 0, 0
    return {
        "processes": processes,
        "hosts": whole(launcher.hosts, launcher.hosts()),
        "rows_per_step": rows_per_step,
        "rows": rows,
        "steps": whole(recipe.steps, steps),
        "parameters": shape.parameters if shape else None,
        "training_state_bytes": _state(shape, method) if shape else None,
        "shape": shape.to_json() if shape else None,
        "timeout": case.limits["timeout"],
    }


def _state(shape: Shape, method: Method) -> int | None:
    """Bytes of weights, gradients and Adam's moments; None if it is not known how much is trained."""
    if not method.trains:
        return shape.parameters * WEIGHT_BYTES
    if (share := share_of(method, shape)) is None:
        return None
    # A share counts what is multiplied with; if that is all, what is only looked up is trained too.
    everything = share.learning == shape.multiplied
    trained = shape.parameters if everything else share.learning
    return (shape.parameters + share.added) * WEIGHT_BYTES + trained * TRAINED_BYTES
