"""Rows of another data set whose answers a model has written anew."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from benchspec import BenchspecError, Dataset, Row, hookimpl
from benchspec_plugins.datasets.teacher import OPTIONS, Teacher, fingerprint, known_by
from benchspec_plugins.datasets.written import Written

#: part of every fingerprint: increase it when the same options give other rows
MAKER = 2


class Refined(Dataset):
    """The rows of another data set; a model is shown each that is used with its answer and asked for a better one.

    Where the model says nothing, does not come to an end, or cannot take so long a row, the answer stays as it was; the
    case's log says how often.
    What was written is kept in the cache, so it is written once, and a run that was stopped goes on where it was.
    """

    name = "refined"
    options_schema = {
        "properties": {
            "of": {"$ref": "#/$defs/dataset", "description": "the data set whose answers are rewritten"},
            "teacher": {"$ref": "#/$defs/model", "description": "the model that rewrites them"},
            **OPTIONS,
        },
        "required": ["of", "teacher"],
    }

    def missing(self, online: bool) -> Sequence[str]:
        return [*self.options["of"].missing(online), *self.options["teacher"].missing(online)]

    def size(self) -> int | None:
        size: int | None = self.options["of"].size()
        return size

    def order(self) -> Any:
        """The other data set's, counted among the rows that it uses."""
        import numpy as np

        order, used = self._used
        return None if order is None else np.searchsorted(used, order)

    def identity(self) -> str | None:
        """That of the other data set and what the model's words depend on; None if the former is not known."""
        identity = self.options["of"].identity()
        written = fingerprint(MAKER, known_by(self.options["teacher"], self.options))
        return identity and f"{identity}, refined {written}"

    def rows(self) -> Sequence[Row]:
        """The distinct rows that the other data set uses, with new answers."""
        before, (_, used) = self.options["of"].rows(), self._used
        rows = before if used is None else [before[place] for place in used]
        written = Written(
            fingerprint(MAKER, list(map(list, rows)), known_by(self.options["teacher"], self.options)), _is_round
        )
        with written.locked():
            outputs = self._outputs(rows, written)
        kept = outputs.count(None)
        if kept == len(rows):
            raise BenchspecError(
                f"refined: the teacher has rewritten none of {kept} answers: it said nothing, came to no end within "
                "`max_new_tokens`, or cannot take such rows; lower `max_new_tokens`, or choose another teacher"
            )
        sys.stderr.write(f"refined: {len(rows)} rows in {written.path}; {kept} answers stay as they were\n")
        return [row._replace(output=row.output if new is None else new) for row, new in zip(rows, outputs, strict=True)]

    @cached_property
    def _used(self) -> tuple[Any, Any]:
        """The other data set's order, and the places of the rows in it, each once; None and None: each row once."""
        import numpy as np

        order = self.options["of"].order()
        return (None, None) if order is None else (order, np.unique(order))

    def _outputs(self, rows: Sequence[Row], written: Written) -> list[str | None]:
        outputs: list[str | None] = [output for done in written.rounds() for output in done["outputs"]]
        teacher, size = Teacher(self.options["teacher"], self.options), self.options["batch_size"]
        while len(outputs) < len(rows):
            number = len(outputs) // size
            batch = rows[len(outputs) : len(outputs) + size]
            new = _rewritten(teacher, [_prompt(row) for row in batch], number)
            written.add({"round": number, "outputs": new})
            outputs += new
            self.progress(len(outputs), len(rows))
        return outputs


def _is_round(found: Mapping[str, Any]) -> bool:
    """Whether a round in the cache has answers."""
    outputs = found.get("outputs")
    return isinstance(outputs, list) and all(each is None or isinstance(each, str) for each in outputs)


def _rewritten(teacher: Teacher, prompts: Sequence[str], seed: int) -> list[str | None]:
    """What the teacher says to each prompt; None where that is nothing or has no end, or the prompt is too long."""
    fitting = [prompt for prompt in prompts if teacher.fits(prompt)]
    said = dict(zip(fitting, teacher.ask(fitting, seed), strict=True)) if fitting else {}
    answers = [said.get(prompt) for prompt in prompts]
    return [each.text.strip() if each and each.ended and each.text.strip() else None for each in answers]


def _prompt(row: Row) -> str:
    data = f"Input: {row.input}\n" if row.input else ""
    return (
        "Here is a task and an answer to it. The improved answer is correct, complete and well written.\n\n"
        f"Task: {row.instruction}\n{data}Answer: {row.output}\nImproved answer:"
    )


@hookimpl
def benchspec_register() -> list[type[Dataset]]:
    """The plugins of this module."""
    return [Refined]
