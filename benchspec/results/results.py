"""`Results`: the results of a run directory, one `Result` per case."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from benchspec.results import evidence
from benchspec.results.journal import read_journal
from benchspec.results.result import Result
from benchspec.results.rows import rows
from benchspec.results.steps import steps
from benchspec.results.verdicts import Verdict, judge
from benchspec.terms.errors import BenchspecError
from benchspec.terms.layout import JOURNAL, RUN, attempt_folder


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

    def rows(self) -> list[dict[str, Any]]:
        """A flat mapping per case, for a data frame: all have the same keys, and None where a case has no value.

        The keys are those of the reporter `csv`: `experiment`, `case`, `attempt`, the axes by their dotted paths,
        `outcome`, `phase`, `rank`, `reason`, the metrics of cases that are ok by their ids, `basis:METRIC` for numbers
        that were not measured, published values, and `machine`.
        """
        return rows(self, self.verdicts, self.run)

    def as_expected(self) -> bool:
        """Whether every case has an outcome that the spec expects; without an `expect`, that is `ok`."""
        expected = self.run.get("expected", {})
        return all(each.outcome in expected.get(f"{each.experiment}/{each.case}", ["ok"]) for each in self)

    def steps(self, result: Result) -> list[dict[str, Any]]:
        """A result's optimizer steps: mappings with the keys step, seconds, loss, grad_norm, rows, tokens.

        Rows and tokens are sums over all ranks; `seconds` is the time since the end of the previous step, on the
        slowest rank. An unknown number is None. The steps are read from the case's files; empty if those are gone.
        """
        attempt = attempt_folder(self.folder, result.experiment, result.case) / result.attempt
        keys = ("step", "seconds", "loss", "grad_norm", "rows", "tokens")
        return [{key: getattr(step, key) for key in keys} for step in steps(evidence.read(attempt).ranks)]

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Result]: ...

    def __getitem__(self, index: int | slice) -> Result | Sequence[Result]:
        return self._results[index]


def read_run(folder: Path) -> dict[str, Any]:
    """The content of a run directory's run.json; {} if it has results but no run.json."""
    if not folder.is_dir():
        raise BenchspecError(f"{folder}: no such run directory")
    file = folder / RUN
    if not file.exists() and not (folder / JOURNAL).exists():
        raise BenchspecError(f"{folder} is not a run directory: it has neither {RUN} nor {JOURNAL}")
    try:
        run = json.loads(file.read_bytes()) if file.exists() else {}
    except ValueError as error:
        raise BenchspecError(f"{file}: error: not JSON ({error})") from None
    if not isinstance(run, dict):
        raise BenchspecError(f"{file}: error: expected a JSON object")
    return run


def _latest(results: Iterable[Result]) -> dict[tuple[str, str], Result]:
    return {(result.experiment, result.case): result for result in results}


def _planned(latest: Mapping[tuple[str, str], Result], run: Mapping[str, Any]) -> list[Result]:
    """The results of the planned cases, in the plan's order, without those of earlier versions of the spec."""
    if "cases" not in run:
        return list(latest.values())
    return [latest[experiment, case] for experiment, case in run["cases"] if (experiment, case) in latest]
