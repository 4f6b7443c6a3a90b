"""Declarative benchmarks of language-model fine-tuning: what plugin authors and scripts import."""

from benchspec.errors import BenchspecError, PluginError, SpecError
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

__all__ = [
    "Backend",
    "BenchspecError",
    "Dataset",
    "Fact",
    "Facts",
    "Handle",
    "Hardware",
    "Job",
    "Launcher",
    "Method",
    "Model",
    "Plugin",
    "PluginError",
    "Recipe",
    "Reporter",
    "Row",
    "Shape",
    "SpecError",
    "hookimpl",
]
