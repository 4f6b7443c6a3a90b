"""What a shell offers while a user types a command: specs, run directories, reporters, experiments, plugins."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from benchspec.terms.harmless import one_line
from benchspec.terms.layout import RUN

if TYPE_CHECKING:
    from click import Context


def spec_files(context: Context, begun: str) -> Iterator[CompletionItem]:
    """YAML files, and the folders that may hold more."""
    yield CompletionItem(begun, type="dir")
    yield from _paths(begun, (path for path in _matching(begun) if path.endswith((".yaml", ".yml"))))


def folders(context: Context, begun: str) -> Iterator[CompletionItem]:
    """Folders, as the shell completes them."""
    yield CompletionItem(begun, type="dir")


def runs(context: Context, begun: str) -> Iterator[CompletionItem]:
    """Run directories: those that begin so, or of the folder `runs`; and the folders that may hold more."""
    yield CompletionItem(begun, type="dir")
    usual = _matching("runs/") if "runs/".startswith(begun) else []
    found = sorted({*_matching(begun), *usual})
    yield from _paths(begun, (path for path in found if Path(path, RUN).is_file()))


def reporters(context: Context, begun: str) -> Iterator[CompletionItem]:
    """Installed reporters."""
    return _plugins(begun, "reporter")


def plugins(context: Context, begun: str) -> Iterator[CompletionItem]:
    """Installed plugins of every kind."""
    return _plugins(begun, None)


def experiments(context: Context, begun: str) -> Iterator[CompletionItem]:
    """The experiments of the spec that stands on the command line, as patterns for `--only`."""
    from benchspec.spec.sources import included

    # click leaves the arguments unnamed where an option still lacks its value.
    path = context.params.get("spec") or context.args[0]
    node = included(Path(path), path).get("experiments")
    for name, experiment in node.value.items() if node else ():
        if name.startswith(begun) and _PLAIN.fullmatch(name):
            title = experiment.get("title")
            yield CompletionItem(f"{name}/", help=one_line(str(title.value)) if title else None)


def _paths(begun: str, found: Iterable[str]) -> Iterator[CompletionItem]:
    """Paths; where one of them needs quotes, the shell completes names of files itself.

    bash puts into the command line what it is offered as it stands: in the name `$(…)`, a command.
    """
    paths = list(found)
    if all(_PLAIN.fullmatch(path) for path in paths):
        yield from map(CompletionItem, paths)
    else:
        yield CompletionItem(begun, type="file")


#: what means itself to every shell
_PLAIN = re.compile(r"[\w./~@%+=:,-]+")


def measured(context: Context, begun: str) -> Iterator[CompletionItem]:
    """The experiments of the run directory that stands on the command line."""
    folder = context.params.get("run_dir") or context.args[0]
    found = json.loads(Path(folder, RUN).read_text())["spec"]["experiments"]
    for name, one in found.items():
        if name.startswith(begun) and _PLAIN.fullmatch(name):
            title = one.get("title")
            yield CompletionItem(name, help=one_line(str(title)) if title else None)


def pages(context: Context, begun: str) -> Iterator[CompletionItem]:
    """Markdown files, and the folders that may hold more."""
    yield CompletionItem(begun, type="dir")
    yield from _paths(begun, (path for path in _matching(begun) if path.endswith(".md")))


def _plugins(begun: str, kind: str | None) -> Iterator[CompletionItem]:
    from benchspec.kinds.listing import summary
    from benchspec.kinds.registry import Registry

    registry = Registry.load()
    found = {registry.name(entry): summary(entry) for entry in registry.entries(kind)}
    yield from (CompletionItem(name, help=help) for name, help in found.items() if name.startswith(begun))


def _matching(begun: str) -> list[str]:
    """Paths that begin so, in the form in which they were begun."""
    folder, _, name = begun.rpartition("/")
    home = f"{folder}/" if "/" in begun else ""
    place = Path(home or ".").expanduser()
    names = [path.name for path in place.iterdir()] if place.is_dir() else []
    return sorted(f"{home}{one}" for one in names if one.startswith(name) and not one.startswith("."))
