"""What the processes of a case wrote, reduced to metrics, kept in the journal and loaded as `Results`."""

from benchspec.results.journal import append, read_journal
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.terms.metrics import METRICS, Metric

__all__ = ["METRICS", "Metric", "Result", "Results", "append", "read_journal"]
