"""One spec under two Python environments, launch by launch in turns, then compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchspec.results.comparing.compare import check_installed, compare
from benchspec.results.comparing.comparison import Comparison
from benchspec.results.journal import read_journal
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.running.agenda import latest
from benchspec.running.environment import Environment
from benchspec.terms.errors import RunError

#: base and head
Pair = tuple[Environment, Environment]


class Planned(NamedTuple):
    """A case that both environments plan."""

    experiment: str
    axes: Mapping[str, Any]
    #: its id in base and in head
    ids: tuple[str, str]

    @property
    def key(self) -> tuple[str, str]:
        """What it is paired by."""
        return _key(self.experiment, self.axes)


class Settings(NamedTuple):
    """What is run and how it is judged."""

    spec: str
    #: patterns of cases; without any, all
    only: Sequence[str]
    #: further options with which both environments plan and run the spec
    options: Sequence[str]
    repeats: int
    metric: str
    threshold: float
    #: given a line for whoever waits
    note: Callable[[str], None]


def ab(pair: Pair, settings: Settings) -> Comparison:
    """Launch each case `repeats` times in each environment, in turns, and compare.

    What then looks worse is launched as often again, before it is called worse. Launches that have a result are not
    repeated. Raises `RunError` if an environment cannot plan or run the spec.
    """
    check_installed()
    cases = _planned(pair, settings)
    _launch_all(pair, settings, cases, range(1, settings.repeats + 1))
    found = _compared(pair, settings)
    worse = {_key(each.experiment, each.axes) for each in found.pairs if each.verdict == "worse" and each.interval}
    if again := [case for case in cases if case.key in worse]:
        looks = "1 case looks" if len(again) == 1 else f"{len(again)} cases look"
        settings.note(f"{looks} worse: each is launched {settings.repeats} times more")
        _launch_all(pair, settings, again, range(settings.repeats + 1, 2 * settings.repeats + 1))
        found = _compared(pair, settings)
    for environment in pair:
        environment.report()
    return found


def _planned(pair: Pair, settings: Settings) -> list[Planned]:
    """The cases that both environments plan; raises `RunError` if there is none."""
    options = [*(f"--only={pattern}" for pattern in settings.only), *settings.options]
    base, head = (
        {_key(case["experiment"], case["axes"]): case for case in each.plan(settings.spec, options)} for each in pair
    )
    for key in {**base, **head}:
        if not (key in base and key in head):
            name, case = ("base", base[key]) if key in base else ("head", head[key])
            settings.note(f"warning: only {name} plans {case['experiment']}/{case['id']}: it is not launched")
    both = [(case, head[key]["id"]) for key, case in base.items() if key in head]
    cases = [Planned(case["experiment"], case["axes"], (case["id"], other)) for case, other in both]
    if not cases:
        raise RunError("base and head plan no case in common")
    return cases


def _key(experiment: str, axes: Mapping[str, Any]) -> tuple[str, str]:
    return experiment, json.dumps(axes, sort_keys=True)


def _launch_all(pair: Pair, settings: Settings, cases: Sequence[Planned], numbers: Iterable[int]) -> None:
    """Launch cases in turns: each in base and head, then in head and base, so that a drift falls on both alike."""
    failed: set[tuple[str, str, int]] = set()
    for number in numbers:
        for case in cases:
            for side in (0, 1) if number % 2 else (1, 0):
                ours, theirs = (*case.key, side), (*case.key, 1 - side)
                # What fails would fail again; and then one launch on the other side says whether it fails there too.
                if ours in failed or (theirs in failed and _results(pair[side], case, side)):
                    continue
                if _launch(pair[side], settings, case, side, number).outcome != "ok":
                    failed.add(ours)


def _launch(environment: Environment, settings: Settings, case: Planned, side: int, number: int) -> Result:
    """The result of a launch of a case in an environment, which is made unless it has one that is kept.

    Raises `RunError` if the environment ends without one.
    """
    known = _results(environment, case, side).get(number)
    if known is None or not known.final:
        settings.note(f"launch {number}, {environment.name}: {case.experiment}/{case.ids[side]}")
        repeats = ["--repeats", str(number), "--reporter", "csv"]
        environment.run(settings.spec, [*settings.options, *_only(case, side), *repeats])
        known = _results(environment, case, side).get(number)
    if known is None:
        name = f"{case.experiment}/{case.ids[side]}"
        raise RunError(f"{environment.name} ({environment.python}): launch {number} of {name} left no result")
    return known


def _results(environment: Environment, case: Planned, side: int) -> dict[int, Result]:
    """The latest result of each launch of a case in an environment, by number."""
    found = latest(read_journal(environment.folder))
    return {key[2]: result for key, result in found.items() if key[:2] == (case.experiment, case.ids[side])}


def _only(case: Planned, side: int) -> list[str]:
    """Options that select this case alone: a pattern without a wildcard would be a part of other names too."""
    name = f"{case.experiment}/{case.ids[side]}"
    return [f"--only=[{name[0]}]{name[1:]}"]


def _compared(pair: Pair, settings: Settings) -> Comparison:
    base, head = (Results.load(each.folder) for each in pair)
    return compare(base, head, metric=settings.metric, threshold=settings.threshold, across=["libraries"])
