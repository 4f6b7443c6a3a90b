"""What a result depends on beside its case, compared with what it would depend on now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchspec.terms.harmless import one_line

#: `Result.record`: `data`, `processes`, `machine`, `libraries` and `commits`, as result.schema.json describes them
Record = Mapping[str, Any]

#: the parts of a record that are mappings of names to what was found
_NAMED = ("machine", "libraries", "commits")


class Difference(NamedTuple):
    """One thing that is no longer as it was, in words: `torch`, `2.12.0`, `2.13.0`."""

    #: the part of the record: `data`, `processes`, `machine`, `libraries`, `commits`; `record` if there is none
    part: str
    name: str
    before: str
    #: empty if there is nothing to compare with
    now: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before}" + (f", now {self.now}" if self.now else "")


def differences(before: Record, now: Record) -> list[Difference]:
    """What differs between two records of a case.

    Data are compared by what the data set says they depend on, where it says so in both: without reading them, no
    more is known.
    """
    if not before.get("libraries"):
        return [Difference("record", "what it depends on", "not recorded, as in earlier versions of benchspec", "")]
    return [_difference(*pair) for pair in _pairs(before, now) if pair[2] != pair[3]]


def by_kind(changed: Sequence[Sequence[Difference]]) -> list[str]:
    """The differences of several results: one text for each kind, with how many results have it."""
    kinds: dict[tuple[str, str], list[Difference]] = {}
    for each in (difference for found in changed for difference in found):
        kinds.setdefault((each.part, each.name), []).append(each)
    return [f"{_together(found)} ({len(found)} result{'s' if len(found) > 1 else ''})" for found in kinds.values()]


def _pairs(before: Record, now: Record) -> Iterator[tuple[str, str, Any, Any]]:
    """(part, name, before, now) of everything that can be compared."""
    then, here = _identity(before), _identity(now)
    if then is not None and here is not None:
        yield "data", "data", then, here
    yield "processes", "processes", before.get("processes"), now.get("processes")
    for part in _NAMED:
        found, others = before.get(part) or {}, now.get(part) or {}
        yield from ((part, name, found.get(name), others.get(name)) for name in {**found, **others})


def _together(found: Sequence[Difference]) -> Difference:
    """Differences of one kind as one."""
    then, here = (" or ".join(dict.fromkeys(texts)) for texts in zip(*((each[2:]) for each in found), strict=True))
    return found[0]._replace(before=then, now=here)


def _identity(record: Record) -> str | None:
    identity: str | None = (record.get("data") or {}).get("identity")
    return identity


def _difference(part: str, name: str, before: Any, now: Any) -> Difference:
    label = f"code of {name}" if part == "commits" else name
    return Difference(part, label, part_text(part, before), part_text(part, now))


def part_text(part: str, value: Any) -> str:
    """A value of a part of a record, in words."""
    if value is None:
        return "none"
    return _commit_text(value) if part == "commits" else one_line(str(value))[:80]


def _commit_text(commit: Mapping[str, Any]) -> str:
    """`1f9c2a7`, `1f9c2a7 with changes (9f8e7d)`, or the files' hash where there is no commit."""
    commit_id, digest = commit.get("id"), str(commit.get("digest"))[:6]
    if commit_id is None:
        return f"files {digest}"
    return f"commit {commit_id[:7]}" + (f" with changes ({digest})" if commit.get("dirty") is not False else "")
