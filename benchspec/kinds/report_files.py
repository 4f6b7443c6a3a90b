"""The file in the run directory that each report of a spec is kept in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os.path import normpath
from typing import Any, cast

from benchspec.kinds.bases import Reporter
from benchspec.kinds.options import completed
from benchspec.kinds.registry import Registry
from benchspec.terms.layout import REPORT


def report_files(registry: Registry, reports: Sequence[str | Mapping[str, Any]]) -> list[str | None]:
    """Of each report, its path, or `report` with the suffix of its reporter.

    Where the report of another reporter has that name already, it is `report-NAME`. None for a reporter that seems to
    have further files alone, and for one that does not work.
    """
    #: the file -> the first reporter that has it
    taken: dict[str, str] = {}
    found: list[str | None] = []
    for report in reports:
        name, path = (report, None) if isinstance(report, str) else (str(report["name"]), report.get("path"))
        if path:
            found.append(normpath(path))
        elif (suffix := _suffix(registry, report)) is None:
            found.append(None)
        elif taken.setdefault(f"{REPORT}{suffix}", name) == name:
            found.append(f"{REPORT}{suffix}")
        else:
            found.append(f"{REPORT}-{name.rpartition(':')[2]}{suffix}")
    return found


def _suffix(registry: Registry, report: str | Mapping[str, Any]) -> str | None:
    try:
        reporter = cast(Reporter, registry.create("reporter", completed(registry, "reporter", report)))
        suffix: Any = reporter.suffix
    except KeyboardInterrupt:
        raise
    except BaseException:  # a reporter may even leave the process; `run` says before its first case what is wrong
        return None
    if not isinstance(suffix, str):
        return None
    cls = type(reporter)
    says = suffix != Reporter.suffix or any("suffix" in vars(base) for base in cls.__mro__ if base is not Reporter)
    return suffix if says or cls.files is Reporter.files else None
