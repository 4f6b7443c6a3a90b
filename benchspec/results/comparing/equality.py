"""What should be equal in two runs of a case, and where it is not.

The settings of a case, the data, the number of processes, the machine and the libraries are equal, or the numbers say
nothing of a change. Commits may differ: that is what is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchspec.results.comparing.sides import Side, Sides
from benchspec.results.differences import part_text
from benchspec.results.resolved import settings
from benchspec.terms.where import lookup

#: what may differ although it should be equal, if the user says so
ACROSS = ("machine", "libraries")


class Differing(NamedTuple):
    """What differs between two runs of a case, in words."""

    #: why they cannot be compared
    unequal: list[str]
    #: what may differ: commits, and what the user says
    allowed: list[str]
    #: whether settings are among them
    of_settings: bool = False


def differing(sides: Sides, across: Sequence[str]) -> Differing:
    """What differs between the launches of a case in two runs; `across` is of `ACROSS`."""
    if unclear := [*unknown(sides.base), *unknown(sides.head)]:
        return Differing(unclear, [])
    names = (sides.base.name, sides.head.name)
    settings = [_words("settings", names, *each) for each in _settings(sides)]
    found = Differing(settings, [], of_settings=bool(settings))
    for part, name, base, head in _records(sides):
        if len(_distinct([*base, *head])) > 1:
            allowed = part == "commits" or part in across
            (found.allowed if allowed else found.unequal).append(_words(part, names, name, base, head))
    return found


def unknown(side: Side) -> Iterator[str]:
    """Why it is not known what this run of a case should be equal in; nothing if it is known."""
    if any(each.case is None for each in side.launches):
        yield f"{side.name} has no case.json of a launch, so its settings are not known"
    if not all(each.record.get("libraries") for each in side.results):
        yield f"{side.name} does not say what its results depend on: it is of an earlier version of benchspec"


def _words(part: str, names: tuple[str, str], name: str, base: Sequence[Any], head: Sequence[Any]) -> str:
    """`torch: 2.12.0 in base, 2.13.0 in head`; `names` are those of the two runs."""
    ours, theirs = (" or ".join(part_text(part, value) for value in values) for values in (base, head))
    label = f"code of {name}" if part == "commits" else name
    return f"{label}: {ours} in {names[0]}, {theirs} in {names[1]}"


def _records(sides: Sides) -> Iterator[tuple[str, str, list[Any], list[Any]]]:
    """(part, name, values in base, values in head) of what results depend on, as far as both sides record it."""
    # A launch that failed may not have got as far as its data.
    ours, theirs = ([each.result.record for each in side.ok] for side in (sides.base, sides.head))
    if ours and theirs:
        yield "data", "data", _distinct(map(_fingerprint, ours)), _distinct(map(_fingerprint, theirs))
    base, head = ([each.record for each in side.results] for side in (sides.base, sides.head))
    counts = [[record.get("processes") for record in side] for side in (base, head)]
    yield "processes", "processes", _distinct(counts[0]), _distinct(counts[1])
    for part in ("machine", "libraries", "commits"):
        every = [record.get(part) or {} for record in (*base, *head)]
        for name in every[0]:
            if all(name in found for found in every):
                values = [found[name] for found in every]
                yield part, name, _distinct(values[: len(base)]), _distinct(values[len(base) :])


def _fingerprint(record: Mapping[str, Any]) -> Any:
    return (record.get("data") or {}).get("fingerprint")


def _settings(sides: Sides) -> Iterator[tuple[str, list[Any], list[Any]]]:
    """(dotted path, values in base, values in head) of the settings of a case that differ.

    One that only one version knows is equal where the spec does not name it: it is at its default there.
    """
    base, head = (
        [_Settings(each.case["said"], _settings_of(each.case)) for each in side.launches if each.case]
        for side in (sides.base, sides.head)
    )
    for path in dict.fromkeys(path for each in (*base, *head) for path in each.values):
        ours, theirs = (_distinct(each.values[path] for each in side if path in each.values) for side in (base, head))
        named = any(path in each.values and lookup(each.said, path) is not None for each in (*base, *head))
        if len(_distinct([*ours, *theirs])) > 1 or (named and not (ours and theirs)):
            yield path, ours or [None], theirs or [None]


class _Settings(NamedTuple):
    #: what the spec says, without defaults
    said: Mapping[str, Any]
    #: dotted path -> value, of every setting
    values: Mapping[str, Any]


def _settings_of(case: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting by its dotted path; where a file lies is none."""
    return {path: _without_places(value) for path, value in settings(case)}


def _without_places(value: Any) -> Any:
    """A value in which absolute paths are alike: two machines have the same files in different places."""
    if isinstance(value, list):
        return [_without_places(each) for each in value]
    return "a file" if isinstance(value, str) and value.startswith("/") else value


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Each value once; they need not be hashable."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
