"""Reports in a Markdown file, held against their run directories."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from benchspec.reports.blocks import Block, differences, folder_of, found, replaced
from benchspec.results.results import Results
from benchspec.terms.errors import BenchspecError
from benchspec.terms.layout import write_whole

#: at the beginning of files of some editors
_BOM = "\ufeff"


def verify(file: str | Path, *, write: bool = False) -> list[str]:
    """What differs between the reports in a file and those made anew, a line each; `write` brings them up to date.

    Raises `BenchspecError` if the file, its markers or a run directory cannot be read; nothing is written then.
    """
    file = Path(file)
    whole = _content(file)
    text = whole.removeprefix(_BOM)
    try:
        blocks = found(text)
    except BenchspecError as error:
        raise BenchspecError(f"{file}:{error}") from None
    if not blocks:
        raise BenchspecError(f"{file}: it has no report: no <!-- benchspec: RUN --> stands on a line of its own")
    made = {block.line: _made(block, file) for block in blocks}
    told = [
        f"{file}:{line}: {what}{'; brought up to date' if write else ''}"
        for block in blocks
        for line, what in differences(block, made[block.line])
    ]
    new = replaced(text, lambda block: made[block.line])
    if write and new != text:
        target = file.resolve()
        write_whole(target, f"{_BOM if whole != text else ''}{new}".encode(), mode=stat.S_IMODE(target.stat().st_mode))
    return told


def _content(file: Path) -> str:
    """The text of a file, its line ends as they are."""
    try:
        if file.exists() and not file.is_file():
            # A named pipe would be waited for.
            raise BenchspecError(f"{file}: it is not a file")
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchspecError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _made(block: Block, file: Path) -> Sequence[str]:
    """The lines that a block should have."""
    try:
        folder = folder_of(block, file)
        if not folder.is_dir():
            raise BenchspecError(f"no run directory '{block.run}' beside the file, nor in the working directory")
        results = Results.load(folder)
        if block.experiment is not None:
            results = results.of_experiment(block.experiment)
        text = results.report("markdown")
    except BenchspecError as error:
        raise BenchspecError(f"{file}:{block.line}: {error}") from None
    (again,) = found(text)
    return again.lines
