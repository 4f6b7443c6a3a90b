"""The installed plugins, for `benchspec plugins`: a table of all, and what did not load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchspec.kinds.checks import likely_misspelt
from benchspec.kinds.discovery import Entry
from benchspec.kinds.options import completed
from benchspec.kinds.registry import Registry
from benchspec.terms.fitting import fitted
from benchspec.terms.harmless import printable
from benchspec.terms.units import count_text

#: between words that stay on one line
_TIE = "\N{NO-BREAK SPACE}"


def as_table(registry: Registry, width: int) -> str:
    """Each plugin class with its presets, what did not load, and methods that may be misspelt."""
    heads, rows = ["kind", "name", "description", "package"], list(_rows(registry))
    table = fitted(rows, heads, width, wrapped=[2, 3])
    lost = [str(broken) for broken in registry.broken]
    classes = dict.fromkeys(entry.cls for entry in registry.entries())
    remarks = [remark for cls in classes for remark in likely_misspelt(cls)]
    more = "`benchspec plugins NAME` shows a plugin's options." if rows else ""
    sections = [_section("Not loaded", lost), _section("Perhaps misspelt", remarks)]
    return printable("\n\n".join(filter(None, [table, more, *sections])).replace(_TIE, " "))


def parameters(registry: Registry, entry: Entry) -> int | None:
    """The number of parameters that a model has by its name alone; None for other plugins, or if it is not known."""
    if entry.kind != "model":
        return None
    try:
        model = registry.create("model", completed(registry, "model", registry.name(entry)))
        return int(model.shape().parameters)  # type: ignore[attr-defined]
    except Exception:
        # A shape that needs options has no size, and a plugin with a bug is to be listed all the same.
        return None


def presets(registry: Registry, entry: Entry) -> list[Entry]:
    """The presets of an entry's class, the smallest model first, as they are defined otherwise."""
    mine = [one for one in registry.entries(entry.kind) if one.cls is entry.cls and one.name in entry.cls.presets]
    order = list(entry.cls.presets)
    return sorted(mine, key=lambda one: (parameters(registry, one) or 0, order.index(one.name)))


def summary(entry: Entry) -> str:
    """The first line of the class's docstring."""
    return (entry.cls.__doc__ or "").strip().split("\n")[0]


def _with_sizes(registry: Registry, entries: Sequence[Entry]) -> str:
    """`opt-125m (125 M), opt-350m (331 M)`; no size where it is not known."""
    sizes = [(registry.name(entry), parameters(registry, entry)) for entry in entries]
    return ", ".join(f"{name}{_TIE}({count_text(size).replace(' ', _TIE)})" if size else name for name, size in sizes)


def _rows(registry: Registry) -> Iterator[list[str]]:
    shown = ""
    for entry in registry.entries():
        if entry.name in entry.cls.presets:
            continue
        known = _with_sizes(registry, presets(registry, entry))
        description = "\n".join(filter(None, [summary(entry), known and f"Presets: {known}"]))
        kind, shown = "" if entry.kind == shown else entry.kind, entry.kind
        yield [kind, registry.name(entry), description, entry.origin.distribution]


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)]) if lines else ""
