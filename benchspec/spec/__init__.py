"""The text of a spec -> `Spec`, every value with the place where it was written."""

from benchspec.spec.document import Node
from benchspec.spec.spec import Spec, check, load

__all__ = ["Node", "Spec", "check", "load"]
