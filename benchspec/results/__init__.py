"""The events of a case -> metrics -> a line of the journal -> `Results`."""

from benchspec.results.journal import append, read_journal
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.terms.metrics import METRICS, Metric

__all__ = ["METRICS", "Metric", "Result", "Results", "append", "read_journal"]
