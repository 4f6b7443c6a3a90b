"""What a plugin is, and which plugins are installed."""

from benchspec.kinds.bases import (
    CASE_KINDS,
    KINDS,
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
from benchspec.kinds.registry import Registry
from benchspec.kinds.values import End, Fact, Facts, Row, Shape, Share

__all__ = [
    "CASE_KINDS",
    "KINDS",
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
    "Registry",
    "Reporter",
    "Row",
    "Shape",
    "Share",
    "hookimpl",
]
