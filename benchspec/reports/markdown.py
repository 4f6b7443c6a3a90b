"""Text and tables as GitHub's Markdown, in which nothing acts as markup that is not meant to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from benchspec.reports.report import Column

#: where GitHub's Markdown would see markup: what is markup between any characters, and what is only between some
_MARKUP = re.compile(
    r"""
    [\\`*|$]
    | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])  # emphasis, which `_` within a word is not
    | (?<=\S)~ | ~(?=~)                     # struck out, which `~` before a number is not
    | <(?=[A-Za-z/!?])                      # HTML
    | &(?=\#?\w+;)                          # a character reference
    | \](?=[(\[:]) | \[(?=\^)               # a link, an image, a definition, a footnote
    | (?<=:)/(?=/) | (?<=www)\.             # an address, which becomes a link
    | (?<!\w)\#(?!\d)                       # a heading
    """,
    re.VERBOSE | re.IGNORECASE,
)
#: what GitHub links although it is escaped: who is mentioned and mail addresses, and the numbers of issues
_LINKED = re.compile(r"@|#(?=\d)|\bGH-(?=\d)", re.IGNORECASE)
#: what would be a list, a quotation, a heading or a box to tick at the beginning of a line
_BEGINNING = re.compile(r"^(?:[-+>=]|\d+(?=[.)])|\[(?=[ x]\]))", re.IGNORECASE)


def escape(text: str) -> str:
    """One line of text escaped so that Markdown shows it unchanged, also in a table cell."""
    escaped = _MARKUP.sub(lambda match: "\\" + match[0], " ".join(text.split()))
    # A space of no width, which GitHub does not look past.
    return _LINKED.sub(lambda match: match[0] + "&#8203;", escaped)


def paragraph(text: str) -> str:
    """The same at the beginning of a line."""
    return _BEGINNING.sub(_behind_backslash, escape(text))


def _behind_backslash(match: re.Match[str]) -> str:
    return match[0] + "\\" if match[0].isdigit() else "\\" + match[0]


def bullets(lines: Iterable[str]) -> str:
    """Lines as a list."""
    return "\n".join(f"- {paragraph(line)}" for line in lines)


def folded(title: str, text: str) -> str:
    """Markdown that a reader opens."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def table(columns: Sequence[Column]) -> str:
    """Columns as a table."""
    from tabulate import tabulate

    return tabulate(
        [[escape(cell) for cell in row] for row in zip(*(column.cells for column in columns), strict=True)],
        headers=[escape(column.heading) for column in columns],
        tablefmt="pipe",
        colalign=["right" if column.right else "left" for column in columns],
        disable_numparse=True,
    )
