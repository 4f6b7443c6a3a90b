"""`Results`: the results of a run directory, one `Result` per case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from benchspec.results import evidence
from benchspec.results.journal import read_journal
from benchspec.results.result import Result
from benchspec.results.rows import rows
from benchspec.results.run_file import read_run
from benchspec.results.steps import steps
from benchspec.results.verdicts import Verdict, judge
from benchspec.terms.layout import STDERR, attempt_folder


class Results(Sequence[Result]):
    """The latest result of each case of a run, in the order of its plan."""

    def __init__(self, results: Iterable[Result], run: Mapping[str, Any] | None = None, folder: Path = Path()):
        self._results = tuple(results)
        #: the content of run.json
        self.run: dict[str, Any] = dict(run or {})
        #: the run directory
        self.folder = folder
        #: each published value of each case, compared with what was measured: mappings with the keys source, hardware,
        #: experiment, case, kind (value, below, above, between, outcome), metric, published, measured, ratio, met
        self.verdicts: list[Verdict] = judge(self.run.get("published", {}), self._results)
        #: the cases that `missing` and `as_expected` judge, as (experiment, case): the planned ones, as far as known
        self.judged: list[tuple[str, str]] = self._planned_cases()
        #: user's mistakes because of which cases failed; each must be corrected before its case can run
        self.mistakes: list[str] = []

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """The results in a run directory; raises `BenchspecError` if it is not one or cannot be read."""
        folder = Path(folder)
        run = read_run(folder)
        return cls(_planned(_latest(read_journal(folder)), run), run, folder)

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return str(self.run.get("name", self.folder.name))

    def missing(self) -> list[str]:
        """`EXPERIMENT/CASE` of each judged case that has no result."""
        found = {(each.experiment, each.case) for each in self}
        return [f"{experiment}/{case}" for experiment, case in self.judged if (experiment, case) not in found]

    def rows(self) -> list[dict[str, Any]]:
        """A flat mapping per case, for a data frame: all have the same keys, and None where a case has no value.

        The keys are those of the reporter `csv`: `experiment`, `case`, `attempt`, the axes by their dotted paths,
        `outcome`, `phase`, `rank`, `reason`, the metrics of cases that are ok by their ids, the `currency` of `cost`,
        `basis:METRIC` for numbers that were not measured, published values, and `machine`.
        """
        return rows(self, self.verdicts, self.run)

    def as_expected(self) -> bool:
        """Whether every judged case has a result, and an outcome that the spec expects; by default that is `ok`."""
        judged, expected = set(self.judged), self.run.get("expected", {})
        mine = [each for each in self if (each.experiment, each.case) in judged]
        known = all(each.outcome in expected.get(f"{each.experiment}/{each.case}", ["ok"]) for each in mine)
        return known and bool(mine) and not self.missing()

    def log_of(self, result: Result) -> Path | None:
        """What the case wrote to stderr in the attempt that the result is of; None if there is no file."""
        file = attempt_folder(self.folder, result.experiment, result.case) / result.attempt / STDERR
        return file if file.is_file() else None

    def steps(self, result: Result) -> list[dict[str, Any]]:
        """A result's optimizer steps: mappings with the keys step, seconds, loss, grad_norm, rows, tokens.

        Rows and tokens are sums over all ranks; `seconds` is the time since the end of the previous step, on the
        slowest rank. An unknown number is None. The steps are read from the case's files; empty if those are gone.
        """
        attempt = attempt_folder(self.folder, result.experiment, result.case) / result.attempt
        keys = ("step", "seconds", "loss", "grad_norm", "rows", "tokens")
        return [{key: getattr(step, key) for key in keys} for step in steps(evidence.read(attempt).ranks)]

    def _planned_cases(self) -> list[tuple[str, str]]:
        planned = self.run.get("cases")
        if planned is None:
            return [(each.experiment, each.case) for each in self._results]
        return [(experiment, case) for experiment, case in planned]

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Result]: ...

    def __getitem__(self, index: int | slice) -> Result | Sequence[Result]:
        return self._results[index]


def _latest(results: Iterable[Result]) -> dict[tuple[str, str], Result]:
    return {(result.experiment, result.case): result for result in results}


def _planned(latest: Mapping[tuple[str, str], Result], run: Mapping[str, Any]) -> list[Result]:
    """The results of the planned cases, in the plan's order, without those of earlier versions of the spec."""
    if "cases" not in run:
        return list(latest.values())
    return [latest[experiment, case] for experiment, case in run["cases"] if (experiment, case) in latest]
