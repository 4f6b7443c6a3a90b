"""Declarative benchmarks of language-model fine-tuning: what plugin authors and scripts import."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchspec.cases.case import Case as Case
    from benchspec.cases.expand import plan as plan
    from benchspec.kinds import (
        Backend as Backend,
        Dataset as Dataset,
        End as End,
        Engine as Engine,
        Fact as Fact,
        Facts as Facts,
        Handle as Handle,
        Hardware as Hardware,
        Job as Job,
        Launcher as Launcher,
        Method as Method,
        Model as Model,
        Plugin as Plugin,
        Recipe as Recipe,
        Reporter as Reporter,
        Row as Row,
        Shape as Shape,
        Share as Share,
        hookimpl as hookimpl,
    )
    from benchspec.results import Result as Result, Results as Results
    from benchspec.running.run import run as run
    from benchspec.spec import Spec as Spec, load as load
    from benchspec.terms.errors import (
        BenchspecError as BenchspecError,
        NothingSelected as NothingSelected,
        PluginError as PluginError,
        RunError as RunError,
        SpecError as SpecError,
    )

_KINDS = (
    "Backend",
    "Dataset",
    "End",
    "Engine",
    "Fact",
    "Facts",
    "Handle",
    "Hardware",
    "Job",
    "Launcher",
    "Method",
    "Model",
    "Plugin",
    "Recipe",
    "Reporter",
    "Row",
    "Shape",
    "Share",
    "hookimpl",
)
_ERRORS = ("BenchspecError", "NothingSelected", "PluginError", "RunError", "SpecError")
#: each name and the module that it comes from; a module is imported when one of its names is first used, so that a
#: command pays only for what it needs
_MODULES = {
    "Case": "benchspec.cases.case",
    "plan": "benchspec.cases.expand",
    **dict.fromkeys(_KINDS, "benchspec.kinds"),
    "Result": "benchspec.results",
    "Results": "benchspec.results",
    "run": "benchspec.running.run",
    "Spec": "benchspec.spec",
    "load": "benchspec.spec",
    **dict.fromkeys(_ERRORS, "benchspec.terms.errors"),
}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'benchspec' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
