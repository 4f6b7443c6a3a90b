"""Results as tables and text, for reporters: docs/reports.md shows how to write one."""

from benchspec.reports.blocks import marked
from benchspec.reports.cells import (
    ABSENT,
    field_text,
    measured_text,
    measured_verdict_text,
    metric_text,
    number_text,
    published_text,
    ratio_text,
    verdict_text,
)
from benchspec.reports.charts import Bound, Chart, Line, Mark, Series, charts
from benchspec.reports.columns import (
    axis_columns,
    axis_paths,
    by_experiment,
    metric_column,
    outcome_column,
    shown_metrics,
)
from benchspec.reports.published import verdicts_by_case
from benchspec.reports.report import Column, Report, Section
from benchspec.reports.tables import build_report, no_results_text
from benchspec.terms.harmless import one_line

__all__ = [
    "ABSENT",
    "Bound",
    "Chart",
    "Column",
    "Line",
    "Mark",
    "Report",
    "Section",
    "Series",
    "axis_columns",
    "axis_paths",
    "build_report",
    "by_experiment",
    "charts",
    "field_text",
    "marked",
    "measured_text",
    "measured_verdict_text",
    "metric_column",
    "metric_text",
    "no_results_text",
    "number_text",
    "one_line",
    "outcome_column",
    "published_text",
    "ratio_text",
    "shown_metrics",
    "verdict_text",
    "verdicts_by_case",
]
