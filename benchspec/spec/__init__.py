"""The text of a spec -> `Spec`, which keeps the file, line and column of every value."""

from benchspec.spec.document import Node
from benchspec.spec.spec import Spec, check, load

__all__ = ["Node", "Spec", "check", "load"]
