"""Reports that stand between markers in a Markdown file, made anew and compared with what is there.

    <!-- benchspec: RUN -->            or RUN#EXPERIMENT, for one experiment's tables
    …
    <!-- /benchspec -->

RUN is a run directory, relative to the file, else to the working directory; its unusual characters are percent-encoded
as in an address. What stands between the markers depends on the run directory alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from urllib.parse import quote, unquote

from benchspec.terms.errors import BenchspecError

_BEGIN = re.compile(r"[ \t]*<!-- benchspec: (\S+) -->[ \t]*")
_END = re.compile(r"[ \t]*<!-- /benchspec -->[ \t]*")
#: a border between two cells, which is not escaped
_BORDER = re.compile(r"(?<!\\)\|")
#: the line between a table's heading and its rows
_RULE = re.compile(r"\|?[\s:|-]+\|?")


@dataclass(frozen=True)
class Block:
    """What stands between two markers."""

    run: str
    #: the only experiment; None: all
    experiment: str | None
    #: of the marker that begins it, from 1
    line: int
    #: the lines between the markers
    lines: Sequence[str]


def marked(run: str, experiment: str | None, text: str) -> str:
    """A report between its markers."""
    name = f"{quote(run, safe='/.~', errors='surrogateescape')}{'#' + quote(experiment, safe='') if experiment else ''}"
    # Two hyphens would end the comment.
    name = name.replace("--", "%2D%2D")
    return f"<!-- benchspec: {name} -->\n\n{text.strip()}\n\n<!-- /benchspec -->\n"


def found(text: str) -> list[Block]:
    """The blocks of a file; raises `BenchspecError` with the line of a marker that is torn or nested."""
    blocks: list[Block] = []
    begun: tuple[int, str] | None = None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    for number, line in enumerate(lines, start=1):
        begin = _BEGIN.fullmatch(line)
        if (begin or _END.fullmatch(line)) and line[:1].isspace():
            raise BenchspecError(f"{number}: this marker is indented: a report and its markers begin their lines")
        if begin:
            if begun:
                raise BenchspecError(f"{number}: a marker within the one of line {begun[0]}")
            begun = number, begin[1]
        elif _END.fullmatch(line):
            if begun is None:
                raise BenchspecError(f"{number}: this marker ends nothing: no <!-- benchspec: RUN --> before it")
            run, _, experiment = begun[1].partition("#")
            inner = lines[begun[0] : number - 1]
            blocks.append(Block(unquote(run, errors="surrogateescape"), unquote(experiment) or None, begun[0], inner))
            begun = None
    if begun:
        raise BenchspecError(f"{begun[0]}: this marker has no <!-- /benchspec --> after it")
    return blocks


def replaced(text: str, made: Callable[[Block], Sequence[str]]) -> str:
    """The text with the lines of each block as `made` has them, ended as the block's first marker is."""
    lines = text.split("\n")
    for block in reversed(found(text)):
        end = "\r" if lines[block.line - 1].endswith("\r") else ""
        lines[block.line : block.line + len(block.lines)] = [f"{line}{end}" for line in made(block)]
    return "\n".join(lines)


def folder_of(block: Block, file: Path) -> Path:
    """The run directory that a block names: relative to the file, else to the working directory."""
    beside = file.parent / block.run
    return beside if beside.is_dir() else Path(block.run)


def differences(block: Block, expected: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(line, what differs): cell by cell in a table, else the whole line; of several lines more or fewer, the first."""
    from difflib import SequenceMatcher

    heads = _headings(expected)
    for kind, first, last, begin, end in SequenceMatcher(None, block.lines, expected, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        common = min(last - first, end - begin)
        for shift in range(common):
            here, there = block.lines[first + shift], expected[begin + shift]
            yield from ((block.line + first + shift + 1, text) for text in _line(here, there, heads[begin + shift]))
        more, missing = block.lines[first + common : last], expected[begin + common : end]
        if more or missing:
            yield block.line + first + common + 1, _rest(more, missing)


def _rest(here: Sequence[str], there: Sequence[str]) -> str:
    """Lines that only one of the two has."""
    lines = [line for line in (*here, *there) if line.strip()] or [""]
    if len(lines) == 1:
        return (
            f"found {_quoted(lines[0])}, expected nothing" if here else f"found nothing, expected {_quoted(lines[0])}"
        )
    return f"{len(here or there)} lines {'too many' if here else 'are missing'}, the first: {_quoted(lines[0])}"


def _headings(lines: Sequence[str]) -> list[list[str]]:
    """For each line, the headings of the table that it belongs to; none outside of tables."""
    found: list[list[str]] = []
    for line in lines:
        above = found[-1] if found else []
        found.append((above or _cells(line)) if line.startswith("|") else [])
    return found


def _line(here: str, there: str, heads: Sequence[str]) -> Iterator[str]:
    cells = _cells(here), _cells(there)
    if not (here.startswith("|") and there.startswith("|")) or len(cells[0]) != len(cells[1]):
        yield f"found {_quoted(here)}, expected {_quoted(there)}"
        return
    if _RULE.fullmatch(here) and _RULE.fullmatch(there):
        return
    for head, one, other in zip_longest(heads, *cells, fillvalue=""):
        if one != other:
            yield f"{_row(heads, cells[1])}, {head}: found {_quoted(one)}, expected {_quoted(other)}"


def _row(heads: Sequence[str], cells: Sequence[str]) -> str:
    """What a row is of: the cells before that of the outcome, else the first."""
    return ", ".join(cells[: heads.index("outcome") if "outcome" in heads[1:] else 1])


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _BORDER.split(line.strip())[1:-1]]


def _quoted(text: str) -> str:
    return f"'{text.strip()}'"
