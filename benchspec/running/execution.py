"""One execution of a spec in its run directory: what is the same for all of its cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchspec.cases.case import Case
from benchspec.kinds.bases import Launcher
from benchspec.kinds.checks import is_count
from benchspec.kinds.faults import defined_at
from benchspec.running.dependencies import Dependencies
from benchspec.running.there import There
from benchspec.spec.spec import Spec
from benchspec.terms.errors import PluginError

if TYPE_CHECKING:
    from benchspec.running.progress import Progress


@dataclass
class Run:
    """One execution of a spec in its run directory."""

    spec: Spec
    folder: Path
    #: the same as the user wrote it, for messages
    shown: Path
    progress: Progress
    #: identifies this execution, so that each one reads its data once
    invocation: str
    #: what results depend on beside their cases
    dependencies: Dependencies
    #: (experiment, case, attempt) of every line in the journal when the run started
    recorded: set[tuple[str, str, str]]
    #: seconds for which a rank that trains may stand still at least, before its case ends as `hang`
    least_stall: float
    #: the cases that failed because of a user's mistake, by key, and what it is
    mistakes: dict[tuple[str, str], str] = field(default_factory=dict)
    #: the machine that cases ran on, if it is another one than this
    there: There | None = None
    #: the warnings about cases that were shown
    warned: set[str] = field(default_factory=set)

    def warn(self, case: Case, text: str) -> None:
        """Show a warning about a case, once."""
        warning = f"{case.full_name}: warning: {text}"
        if warning not in self.warned:
            self.warned.add(warning)
            self.progress.note(warning)


def launcher_of(spec: Spec, case: Case) -> Launcher:
    """The case's launcher; raises `PluginError` if it does not say how many cases may run at the same time."""
    launcher = cast(Launcher, spec.registry.create("launcher", case.launcher))
    if not is_count(launcher.parallel):
        name, place = type(launcher).__name__, defined_at(type(launcher))
        raise PluginError(f"{name}: 'parallel' is {launcher.parallel!r}, not a number of at least 1{place}")
    return launcher
