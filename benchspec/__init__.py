"""Declarative benchmarks of language-model fine-tuning: what plugin authors and scripts import."""

from benchspec.cases.case import Case
from benchspec.cases.expand import plan
from benchspec.kinds.bases import (
    Backend,
    Dataset,
    Handle,
    Hardware,
    Job,
    Launcher,
    Method,
    Model,
    Plugin,
    Recipe,
    Reporter,
)
from benchspec.kinds.engine import Engine
from benchspec.kinds.hookspecs import hookimpl
from benchspec.kinds.values import Fact, Facts, Row, Shape, Share
from benchspec.results import Result, Results
from benchspec.running.run import run
from benchspec.spec.spec import Spec, load
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
