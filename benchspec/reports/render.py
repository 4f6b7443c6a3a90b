"""Results -> reports, printed and saved in the run directory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from benchspec.kinds.bases import Reporter
from benchspec.kinds.discovery import Entry
from benchspec.kinds.faults import explained, returned
from benchspec.kinds.options import completed
from benchspec.kinds.registry import Registry
from benchspec.kinds.report_files import report_files
from benchspec.results.results import Results
from benchspec.terms.errors import BenchspecError, PluginError, RunError
from benchspec.terms.layout import REPORT, report_problem, write_whole

T = TypeVar("T")
#: each file that reports have written -> the reporter
Written = dict[Path, str]


def printed(
    registry: Registry, results: Results, names: Sequence[str] = (), *, written: Written | None = None
) -> Iterator[str]:
    """The texts to print: of the reporters in `names`, or without names of the spec's, which are also saved as files.

    `written` is given each file that was written, as an absolute path. A reporter that fails does not stop the others:
    its `PluginError` is raised at the end.
    """
    failed: list[str] = []
    written = {} if written is None else written
    own: Sequence[str | Mapping[str, Any]] = results.run.get("report", ["table"])
    # The files of a run are of all of its experiments.
    whole = results.experiment is None
    asked = names or (own if whole else ["table"])
    files = report_files(registry, [*own, *asked])[len(own) :]
    for value, file in zip(asked, files, strict=True):
        try:
            yield from _one(registry, results, value, file, written, keep=not names and whole)
        except BenchspecError as error:
            failed.append(str(error))
    if failed:
        raise PluginError("; ".join(failed))


def listed(folder: Path, files: Iterable[Path]) -> str:
    """Files of a run directory by name; those in a folder of it as its name and their number."""
    parts = [file.relative_to(folder.resolve()).parts for file in files]
    top = [name for name, *rest in parts if not rest]
    folders = Counter(name for name, *rest in parts if rest)
    return ", ".join([*top, *(f"{name}/ ({count} file{'' if count == 1 else 's'})" for name, count in folders.items())])


def check(registry: Registry, values: Iterable[str | Mapping[str, Any]]) -> None:
    """Raise `PluginError` if a reporter does not exist, or if this machine lacks what it needs."""
    for value in values:
        who, reporter, _ = _reporter(registry, value)
        _file_of_report(who, reporter)
        if absent := _asked(who, lambda reporter=reporter: reporter.missing(False)):  # type: ignore[misc]
            raise PluginError(f"{who}: {'; '.join(absent)}")


def _reporter(registry: Registry, value: str | Mapping[str, Any]) -> tuple[_Who, Reporter, str | None]:
    """A reporter as a spec names it, and the path of its report, if it has one of its own."""
    options = {"name": value} if isinstance(value, str) else dict(value)
    path = options.pop("path", None)
    who = _Who(registry.find("reporter", options["name"]), options["name"], registry.packages)
    return who, _asked(who, lambda: _created(registry, options)), path


def _one(
    registry: Registry,
    results: Results,
    value: str | Mapping[str, Any],
    file: str | None,
    written: Written,
    *,
    keep: bool,
) -> Iterator[str]:
    """The text of a reporter, if it is to be printed; otherwise it is saved in `file`, whatever `keep` says."""
    who, reporter, path = _reporter(registry, value)
    text = _text(who, reporter, results)
    if text and path is None and reporter.printed:
        yield text
    if text and (keep or not reporter.printed):
        target = _target(who, results.folder, file or _file_of_report(who, reporter))
        _write_all(who, {target: text.encode()}, written)
    _write_all(who, _files(who, reporter, results), written)


class _Who(NamedTuple):
    """A reporter, for messages about it."""

    entry: Entry
    name: str
    #: the top-level modules of all plugins
    packages: set[str]

    def __str__(self) -> str:
        return f"the reporter '{self.name}' of {self.entry.origin}"


def _created(registry: Registry, value: Mapping[str, Any]) -> Reporter:
    return cast(Reporter, registry.create("reporter", completed(registry, "reporter", value)))


def _text(who: _Who, reporter: Reporter, results: Results) -> str:
    text = _asked(who, lambda: returned(reporter.render, reporter.render(results), str, "a str"))
    # A lone surrogate, as in a file name that is not UTF-8, cannot be encoded.
    return text.encode("utf-8", "replace").decode()


def _file_of_report(who: _Who, reporter: Reporter) -> str:
    suffix: Any = _asked(who, lambda: reporter.suffix)
    if not isinstance(suffix, str) or not suffix.isprintable():
        raise PluginError(f"{who} failed: `suffix` is {suffix!r}, not a string such as '.txt'")
    return f"{REPORT}{suffix}"


def _files(who: _Who, reporter: Reporter, results: Results) -> dict[Path, bytes]:
    """The files of a reporter; raises if any of them is not allowed."""
    files = _asked(who, lambda: returned(reporter.files, reporter.files(results), Mapping, "a mapping"))
    targets = {_target(who, results.folder, path): content for path, content in files.items()}
    for path, content in files.items():
        if not isinstance(content, bytes):
            raise PluginError(f"{who} failed: `files` must give bytes for '{path}', not {type(content).__name__}")
    for target in targets:
        # Whatever reports the spec names now: the next `report` may write another one there.
        if target.parent == results.folder.resolve() and _is_report(target):
            raise PluginError(f"{who} failed: `files` must not have '{target.name}', which is the name of a report")
    return targets


def _is_report(file: Path) -> bool:
    stem = file.stem.casefold()
    return stem == REPORT or stem.startswith(f"{REPORT}-")


def _write_all(who: _Who, files: Mapping[Path, bytes], written: Written) -> None:
    """Write files; if one of them would overwrite another report's, write none."""
    for file in files:
        if file in written:
            way_out = "give one of them another `path` in the spec's `report`"
            raise PluginError(f"{who}: '{file.name}' is already written by {written[file]}; {way_out}")
    for file, content in files.items():
        _write(who, file, content)
        written[file] = str(who)


def _asked(who: _Who, call: Callable[[], T]) -> T:
    """The return value of a reporter's method; any exception becomes a `PluginError` that names the reporter."""
    try:
        return call()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a reporter that leaves the process must not take the others with it
        raise PluginError(f"{who} failed: {explained(error, who.packages, who.entry.cls)}") from error


def _target(who: _Who, folder: Path, path: str) -> Path:
    """A path in the run directory, made absolute; raises if it is outside, or one of benchspec's own files."""
    if not isinstance(path, str):
        raise PluginError(f"{who} failed: `files` must give paths as str, not {type(path).__name__}")
    if problem := report_problem(path):
        raise PluginError(f"{who} failed: {problem}")
    home = folder.resolve()
    target = (home / path).resolve()
    # A symbolic link on the path may lead outside.
    if not target.is_relative_to(home) or report_problem(str(target.relative_to(home))):
        raise PluginError(f"{who} failed: '{path}' is not a file inside the run directory: a link leads elsewhere")
    return target


def _write(who: _Who, target: Path, content: bytes) -> None:
    """Write a file atomically; raise `RunError` if that fails."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, content)
    except OSError as error:
        raise RunError(f"{who}: cannot write {target}: {error.strerror or error}") from error
