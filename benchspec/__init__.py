"""Declarative benchmarks of language-model fine-tuning: what plugin authors and scripts import."""

from benchspec.cases.case import Case
from benchspec.cases.expand import plan
from benchspec.kinds import (
    Backend,
    Dataset,
    Engine,
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
    Share,
    hookimpl,
)
from benchspec.results import Result, Results
from benchspec.running.run import run
from benchspec.spec import Spec, load
from benchspec.terms.errors import BenchspecError, NothingSelected, PluginError, RunError, SpecError

__all__ = [
    "Backend",
    "BenchspecError",
    "Case",
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
    "Share",
    "Spec",
    "SpecError",
    "hookimpl",
    "load",
    "plan",
    "run",
]
