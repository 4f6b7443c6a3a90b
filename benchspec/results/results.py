"""`Results`: the results of a run directory, one `Result` per case."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

from benchspec.results import evidence
from benchspec.results.journal import read_journal
from benchspec.results.notebook import results_html
from benchspec.results.result import Result
from benchspec.results.rows import rows
from benchspec.results.steps import steps
from benchspec.results.verdicts import Verdict, judge
from benchspec.terms.errors import BenchspecError, suggest
from benchspec.terms.harmless import one_line
from benchspec.terms.layout import JOURNAL, RUN, attempt_folder

if TYPE_CHECKING:
    from benchspec.kinds.bases import Reporter


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
        `outcome`, `phase`, `rank`, `reason`, the metrics of cases that are ok by their ids, the `currency` of `cost`,
        `basis:METRIC` for numbers that were not measured, published values, and `machine`.
        """
        return rows(self, self.verdicts, self.run)

    def report(self, name: str = "table") -> str:
        """The text of a reporter, such as "table", "markdown" or "csv"; no file is written.

        Raises `PluginError` if no reporter has this name.
        """
        from benchspec.kinds.options import completed
        from benchspec.kinds.registry import Registry

        registry = Registry.load()
        reporter = registry.create("reporter", completed(registry, "reporter", {"name": name}))
        return cast("Reporter", reporter).render(self)

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

    @overload
    def __getitem__(self, index: str) -> Result: ...

    def __getitem__(self, index: int | slice | str) -> Result | Sequence[Result]:
        """A result by its place, or by its case: `CASE`, or `EXPERIMENT/CASE` where several experiments have it."""
        return _of_case(self, index) if isinstance(index, str) else self._results[index]

    def __repr__(self) -> str:
        outcomes = Counter(result.outcome for result in self)
        counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        planned = len(self.run.get("cases", self))
        return one_line(f"<Results of '{self.name}': {len(self)} of {planned} cases{counts and ': ' + counts}>")

    def _repr_html_(self) -> str:
        return results_html(self)


def _of_case(results: Results, name: str) -> Result:
    """The result of a case; raises `KeyError` with the names that may be meant."""
    known = {f"{result.experiment}/{result.case}": result for result in results}
    found = [path for path, result in known.items() if name in (path, result.case)]
    if len(found) == 1:
        return known[found[0]]
    if found:
        raise KeyError(f"several experiments have the case '{name}': {', '.join(found)}")
    near = [path for path in known if name in path]
    meant = f"; did you mean {_listed(near)}?" if near else suggest(name, [*known, *(each.case for each in results)])
    raise KeyError(f"no case '{name}' has a result" + (meant or f" (cases that have one: {_listed(list(known))})"))


def _listed(names: Sequence[str]) -> str:
    """The first names, since there may be thousands."""
    return ", ".join([f"'{name}'" for name in names[:5]] + ["…"] * (len(names) > 5)) or "none"


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
