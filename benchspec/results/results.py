"""`Results`: the results of a run directory, one `Result` per launch of a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

from benchspec.results import evidence, resolved
from benchspec.results.journal import read_journal
from benchspec.results.launches import together
from benchspec.results.notebook import results_html
from benchspec.results.result import Result
from benchspec.results.rows import rows
from benchspec.results.run_json import read_run
from benchspec.results.scripts import told_apart
from benchspec.results.verdicts import Verdict, judge
from benchspec.terms.errors import BenchspecError, suggest
from benchspec.terms.harmless import one_line
from benchspec.terms.layout import STDERR, attempts_folder

if TYPE_CHECKING:
    from benchspec.kinds.bases import Reporter


class Results(Sequence[Result]):
    """The latest result of each launch of each case of a run, in the order of its plan."""

    def __init__(self, results: Iterable[Result], run: Mapping[str, Any] | None = None, folder: Path = Path()):
        self._results = tuple(results)
        #: the content of run.json
        self.run: dict[str, Any] = dict(run or {})
        #: the run directory
        self.folder = folder
        #: the only experiment that it holds, if it is a part of a run; see `of_experiment`
        self.experiment: str | None = None
        #: each published value compared with what was measured: mappings, whose keys are in docs/reports.md
        self.verdicts: list[Verdict] = judge(self.run.get("statements", []), self.by_case(), self.run.get("hardware"))
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

    def by_case(self) -> list[Result]:
        """One result a case: of several launches, a result whose `metrics` are their medians.

        It has the results of the launches as `launches`.
        """
        return together(self._results)

    def missing(self) -> list[str]:
        """`EXPERIMENT/CASE` of each judged case that lacks the result of a launch."""
        found, repeats = {(*each.key, each.launch) for each in self}, self.run.get("repeats", {})
        names = {key: "/".join(key) for key in self.judged}
        return [
            name
            for key, name in names.items()
            if not all((*key, launch) in found for launch in range(1, repeats.get(name, 1) + 1))
        ]

    def of_experiment(self, name: str) -> Results:
        """The results of one experiment alone; raises `BenchspecError` if the run has no such experiment."""
        known = list(dict.fromkeys([*self.run.get("experiments", {}), *(each.experiment for each in self)]))
        if name not in known:
            raise BenchspecError(f"{self.folder}: no experiment is called '{name}' ({', '.join(known)})")
        cases = [case for case in self._planned_cases() if case[0] == name]
        statements = [each for each in self.run.get("statements", []) if each["experiment"] == name]
        part = Results(
            [each for each in self if each.experiment == name],
            {**self.run, "cases": cases, "statements": statements},
            self.folder,
        )
        part.experiment, part.mistakes = name, self.mistakes
        return part

    def rows(self) -> list[dict[str, Any]]:
        """A flat mapping per launch, for a data frame: all have the same keys, and None where there is no value.

        The keys are those of the reporter `csv`: `experiment`, `case`, `attempt`, `launch`, the axes by dotted paths,
        `outcome`, `phase`, `rank`, `reason`, the metrics of cases that are ok by their ids, the `currency` of `cost`,
        `basis:METRIC` for numbers that were not measured, published values, and `machine`.
        """
        return rows(told_apart(self, self.run), self.verdicts, self.run)

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
        """Whether every judged case has a result, and an outcome that the spec expects; by default that is `ok`."""
        judged, expected = set(self.judged), self.run.get("expected", {})
        mine = [each for each in self if each.key in judged]
        known = all(each.outcome in expected.get(each.full_name, ["ok"]) and not each.beside_others for each in mine)
        return known and bool(mine) and not self.missing()

    def log_of(self, result: Result) -> Path | None:
        """What the case wrote to stderr in the attempt that the result is of; None if there is no file."""
        file = self.folder_of(result) / STDERR
        return file if file.is_file() else None

    def changes(self, result: Result) -> list[str]:
        """What a result depends on and is no longer as it was, in words: `torch: 2.12.0, now 2.13.0`.

        It was compared when `run` was last called; empty if nothing had changed since the result was measured.
        """
        found = self.run.get("changed", {}).get(result.full_name, {})
        return list(dict.fromkeys(text for each in result.launches for text in found.get(each.attempt, ())))

    def settings(self, result: Result) -> dict[str, Any]:
        """Every setting of a result's case, defaults included: dotted path -> value; empty if its files are gone."""
        found = resolved.read(self.folder_of(result))
        return dict(resolved.settings(found)) if found else {}

    def steps(self, result: Result) -> list[dict[str, Any]]:
        """A result's optimizer steps: mappings with the keys step, seconds, loss, grad_norm, rows, tokens.

        Rows and tokens are sums over all ranks; `seconds` is the time since the end of the previous step, on the
        slowest rank, without saves. An unknown number is None. The steps are read from the case's files; empty if those
        are gone.
        """
        keys = ("step", "seconds", "loss", "grad_norm", "rows", "tokens")
        found = evidence.read(self.folder_of(result)).steps
        return [{key: getattr(step, key) for key in keys} for step in found]

    def folder_of(self, result: Result) -> Path:
        """The folder of the attempt that a result is of; it need not exist.

        In a journal that somebody else wrote, a name may be a path that leads elsewhere: its slashes do not count.
        """
        names = (name.replace("/", "_").replace("\0", "_") for name in (result.experiment, result.case, result.attempt))
        experiment, case, attempt = (f"_{name}" if name in (".", "..") else name for name in names)
        return attempts_folder(self.folder, experiment, case) / attempt

    def _planned_cases(self) -> list[tuple[str, str]]:
        planned = self.run.get("cases")
        if planned is None:
            return list(dict.fromkeys(each.key for each in self._results))
        return [(experiment, case) for experiment, case in planned]

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Result]: ...

    @overload
    def __getitem__(self, index: str) -> Result: ...

    def __getitem__(self, index: int | slice | str) -> Result | Sequence[Result]:
        """A result by its place, or by its case: `CASE`, or `EXPERIMENT/CASE` where several experiments have it.

        Of a case with several launches, it is that of `by_case`.
        """
        return _of_case(self, index) if isinstance(index, str) else self._results[index]

    def __repr__(self) -> str:
        outcomes = Counter(result.outcome for result in self)
        counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        planned, found = len(self._planned_cases()), len({result.key for result in self})
        return one_line(f"<Results of '{self.name}': {found} of {planned} cases{counts and ': ' + counts}>")

    def _repr_html_(self) -> str:
        return results_html(self)


def _of_case(results: Results, name: str) -> Result:
    """The result of a case; raises `KeyError` with the names that may be meant."""
    known = {result.full_name: result for result in results.by_case()}
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


def _latest(results: Iterable[Result]) -> dict[tuple[str, str], dict[int, Result]]:
    """The last result of each launch, by case and number."""
    cases: dict[tuple[str, str], dict[int, Result]] = {}
    for result in results:
        cases.setdefault(result.key, {})[result.launch] = result
    return cases


def _planned(latest: Mapping[tuple[str, str], Mapping[int, Result]], run: Mapping[str, Any]) -> list[Result]:
    """The results of the planned cases, in the plan's order, without those of earlier versions of the spec."""
    cases = [(experiment, case) for experiment, case in run["cases"]] if "cases" in run else list(latest)
    return [found[number] for key in cases for found in [latest.get(key, {})] for number in sorted(found)]
