"""Declarative benchmarks of language-model fine-tuning: what plugin authors and scripts import."""

from benchspec.errors import BenchspecError, NothingSelected, PluginError, RunError, SpecError
from benchspec.hookspecs import hookimpl
from benchspec.kinds import (
    Backend,
    Dataset,
    Fact,
    Facts,
    Handle,
    Hardware,
    Job,
    Launcher,
    Method,
    Model,
    Plugin,
    Recipe,
    Reporter,
    Row,
    Shape,
)
from benchspec.plan import Case, plan
from benchspec.results import Result, Results
from benchspec.run import run
from benchspec.spec import Spec, load

__all__ = [
    "Backend",
    "BenchspecError",
    "Case",
    "Dataset",
    "Fact",
    "Facts",
    "Handle",
    "Hardware",
    "Job",
    "Launcher",
    "Method",
    "Model",
    "NothingSelected",
    "Plugin",
    "PluginError",
    "Recipe",
    "Reporter",
    "Result",
    "Results",
    "Row",
    "RunError",
    "Shape",
    "Spec",
    "SpecError",
    "hookimpl",
    "load",
    "plan",
    "run",
]
