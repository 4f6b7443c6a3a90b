"""Declarative benchmarks of language-model fine-tuning: what plugin authors and scripts import."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchspec.cases.case import Case as Case
    from benchspec.cases.expand import plan as plan
    from benchspec.kinds import (
        Backend as Backend,
    )
    from benchspec.kinds import (
        Dataset as Dataset,
    )
    from benchspec.kinds import (
        Engine as Engine,
    )
    from benchspec.kinds import (
        Fact as Fact,
    )
    from benchspec.kinds import (
        Facts as Facts,
    )
    from benchspec.kinds import (
        Handle as Handle,
    )
    from benchspec.kinds import (
        Hardware as Hardware,
    )
    from benchspec.kinds import (
        Job as Job,
    )
    from benchspec.kinds import (
        Launcher as Launcher,
    )
    from benchspec.kinds import (
        Method as Method,
    )
    from benchspec.kinds import (
        Model as Model,
    )
    from benchspec.kinds import (
        Plugin as Plugin,
    )
    from benchspec.kinds import (
        Recipe as Recipe,
    )
    from benchspec.kinds import (
        Reporter as Reporter,
    )
    from benchspec.kinds import (
        Row as Row,
    )
    from benchspec.kinds import (
        Shape as Shape,
    )
    from benchspec.kinds import (
        Share as Share,
    )
    from benchspec.kinds import (
        hookimpl as hookimpl,
    )
    from benchspec.results import Result as Result
    from benchspec.results import Results as Results
    from benchspec.running.run import run as run
    from benchspec.spec import Spec as Spec
    from benchspec.spec import load as load
    from benchspec.terms.errors import (
        BenchspecError as BenchspecError,
    )
    from benchspec.terms.errors import (
        NothingSelected as NothingSelected,
    )
    from benchspec.terms.errors import (
        PluginError as PluginError,
    )
    from benchspec.terms.errors import (
        RunError as RunError,
    )
    from benchspec.terms.errors import (
        SpecError as SpecError,
    )

_KINDS = (
    "Backend",
    "Dataset",
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
