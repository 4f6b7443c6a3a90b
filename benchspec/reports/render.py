"""Results -> text: printed, and kept in the run directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from benchspec.kinds.bases import Reporter
from benchspec.kinds.options import completed
from benchspec.kinds.registry import Registry
from benchspec.results.results import Results
from benchspec.terms.errors import BenchspecError, PluginError, RunError


def printed(registry: Registry, results: Results, names: Sequence[str] = ()) -> Iterator[str]:
    """The reports to print: those named, or the spec's, which are kept in the run directory too.

    A reporter that fails does not keep the others from being shown: its `PluginError` comes after them.
    """
    failed: list[str] = []
    for value in names or results.run.get("report", ["table"]):
        try:
            yield from _one(registry, results, value, keep=not names)
        except BenchspecError as error:
            failed.append(str(error))
    if failed:
        raise PluginError("; ".join(failed))


def _one(registry: Registry, results: Results, value: Any, *, keep: bool) -> Iterator[str]:
    options = {"name": value} if isinstance(value, str) else dict(value)
    path = options.pop("path", None)
    reporter = create(registry, options)
    text = _render(registry, reporter, results, options["name"]).encode("utf-8", "replace").decode()
    if path is None:
        yield text
    if keep:
        _keep(results.folder, path or f"report{reporter.suffix}", text)


def _keep(folder: Path, path: str, text: str) -> None:
    target = _inside(folder, path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror or error}") from error


def create(registry: Registry, value: Mapping[str, Any]) -> Reporter:
    """The reporter of a spec's value, its defaults filled in."""
    return cast(Reporter, registry.create("reporter", completed(registry, "reporter", value)))


def _render(registry: Registry, reporter: Reporter, results: Results, name: str) -> str:
    origin = registry.find("reporter", name).origin
    try:
        text = reporter.render(results)
    except Exception as error:
        raise PluginError(f"the reporter '{name}' of {origin} failed: {type(error).__name__}: {error}") from error
    if not isinstance(text, str):
        raise PluginError(f"the reporter '{name}' of {origin} rendered a {type(text).__name__}, not text")
    return text


def _inside(folder: Path, path: str) -> Path:
    """A path in the run directory; raises where it leads out of it."""
    target = (folder / path).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise BenchspecError(f"report: the path '{path}' leads out of the run directory")
    return target
