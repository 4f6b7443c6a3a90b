"""Text from specs, plugins, data and logs, made harmless to show.

Such text may hold escape codes, which can move a terminal's cursor or write to its clipboard, marks that reverse the
direction of writing, and lone surrogates, which cannot be encoded. A reporter also escapes what its format interprets.
"""

from __future__ import annotations

import json
import re
from typing import Any

#: the length of a reason or of a line of a log, in characters; the case's files hold the whole text
LONGEST = 500
#: tabs, line breaks and unusual spaces, with all white space around them
_BREAK = re.compile(r"(?<! ) *+[^\S ]\s*")

#: what is not ASCII and printable
_UNUSUAL = re.compile(r"[^ -~]")


def escaped(text: str, kept: str = "") -> str:
    r"""The text with an escape, such as `\x1b` or `\n`, for each unprintable character that is not in `kept`."""
    # Character by character, a plan of 2,000 cases would take longer to show than to make.
    return text if _is_printable(text, kept) else _UNUSUAL.sub(lambda c: c[0] if c[0] in kept else _shown(c[0]), text)


def printable(text: str) -> str:
    r"""Text of several lines with an escape, such as `\x1b`, for each unprintable character; tabs stay."""
    return escaped(text, kept="\n\t")


def one_line(text: str) -> str:
    """The text as one printable line: line breaks and tabs become a space, other unprintable characters escapes."""
    return escaped(_BREAK.sub(" ", text)).strip()


def brief(text: str) -> str:
    """The text as one printable line of at most `LONGEST` characters; it says how many are missing."""
    return shortened(one_line(text))


def shortened(text: str) -> str:
    """The text, or its beginning and how many characters are missing; at most `LONGEST` characters together."""
    if len(text) <= LONGEST:
        return text
    kept = LONGEST - len(f"… ({len(text)} more characters)")
    return f"{text[:kept]}… ({len(text) - kept} more characters)"


def clipped(text: str, most: int = 60) -> str:
    """The text, cut to at most so many characters, for messages that quote it."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def json_text(value: Any, indent: int = 1) -> str:
    """Strict JSON of printable characters; raises `ValueError` for a number that JSON does not have."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    # Unprintable characters stand in strings only.
    if _is_printable(text, "\n"):
        return text
    return _UNUSUAL.sub(lambda c: c[0] if c[0] == "\n" or c[0].isprintable() else json.dumps(c[0])[1:-1], text)


def _is_printable(text: str, kept: str) -> bool:
    """Whether no character has to be escaped, but for those in `kept`."""
    for character in kept:
        text = text.replace(character, "")
    return text.isprintable()


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
