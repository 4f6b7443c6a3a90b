"""Rows that one model makes for another, from a few tasks written by people."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from benchspec import BenchspecError, Dataset, Row, hookimpl
from benchspec.terms.errors import install
from benchspec_plugins.datasets import self_instruct
from benchspec_plugins.datasets.json_rows import identity_of
from benchspec_plugins.datasets.self_instruct import Known, Task
from benchspec_plugins.datasets.teacher import OPTIONS, Said, Teacher, fingerprint, known_by
from benchspec_plugins.datasets.written import Written

#: examples in the prompts that ask for an input and for an output
FEW = 3
#: part of every fingerprint: increase it when the same options give other rows
MAKER = 2


class Generated(Dataset):
    """Rows that a teacher makes, as in self-instruct and Stanford Alpaca (the white paper's Figure 2).

    Any model plugin is the teacher. In each round it is shown some tasks and asked for more. Instructions that are too
    short or long, that need more than text, or whose ROUGE-L with one that there is reaches `similarity`, are dropped;
    the teacher then writes an input and an output for each of the others. The rows are kept in the cache with their
    origin and the reasons for what was dropped, so they are made once; a run that was stopped goes on with the next
    round, and more rows begin with those that there are. Needs the extra `generate`.
    """

    name = "generated"
    options_schema = {
        "properties": {
            "teacher": {"$ref": "#/$defs/model", "description": "the model that writes the rows"},
            "seed_tasks": {
                "type": "string",
                "format": "path",
                "description": "JSON Lines of tasks to begin with: {id, instruction, instances: [{input, output}]}",
            },
            "rows": {"type": "integer", "minimum": 1, "description": "number of rows"},
            "examples": {
                "type": "integer",
                "minimum": 1,
                "default": 8,
                "description": "tasks that a prompt for more tasks shows",
            },
            "similarity": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 1,
                "default": 0.7,
                "description": "ROUGE-L F-measure from which an instruction is too similar to another",
            },
            "rounds": {
                "type": "integer",
                "minimum": 1,
                "default": 100,
                "description": "give up after so many rounds in a row that add no row",
            },
            **OPTIONS,
        },
        "required": ["teacher", "seed_tasks", "rows"],
    }

    def missing(self, online: bool) -> Sequence[str]:
        lines = list(self.options["teacher"].missing(online))
        if find_spec("rouge_score") is None:
            lines.append(f"the data set 'generated' needs rouge-score: {install('generate')}")
        if self._seed_file.exists():
            try:
                self_instruct.read_seed_tasks(self._seed_file)
            except BenchspecError as error:
                lines.append(str(error))
        return lines

    def size(self) -> int:
        return int(self.options["rows"])

    def identity(self) -> str | None:
        """What the rows are made of and how."""
        return f"{self._name}, {self.options['rows']} rows"

    def rows(self) -> Sequence[Row]:
        """The rows, each made once; the last lines of the case's log say where they are and what was dropped."""
        written = Written(self._name, _is_round)
        with written.locked():
            made, dropped = self._all(written)
        sys.stderr.write(f"generated: {len(made)} rows in {written.path}; dropped: {_counts(dropped)}\n")
        return [Row(task.instruction, task.input, task.output) for task in made[: self.options["rows"]]]

    @property
    def _seed_file(self) -> Path:
        return Path(self.options["seed_tasks"])

    @cached_property
    def _name(self) -> str:
        """The name of the rows' file; how many there shall be is no part of it."""
        how = {key: self.options[key] for key in ("examples", "similarity")}
        tasks = identity_of(self._seed_file)
        return fingerprint(MAKER, tasks, how, known_by(self.options["teacher"], self.options))

    def _all(self, written: Written) -> tuple[list[Task], Counter[str]]:
        """At least as many tasks as wanted, and how many were dropped for which reason."""
        seeds = self_instruct.read_seed_tasks(self._seed_file)
        known, made, dropped = Known(self.options["similarity"]), list[Task](), Counter[str]()
        for seed in seeds:
            known.add(seed.instruction)
        for finished in self._rounds(written, seeds, made, known):
            for row in finished["rows"]:
                made.append(Task(f"row {len(made)}", row["instruction"], row["input"], row["output"]))
                known.add(row["instruction"])
            dropped.update(finished["dropped"])
            self.progress(min(len(made), self.options["rows"]), self.options["rows"])
            if len(made) >= self.options["rows"]:
                return made, dropped
        raise BenchspecError(
            f"generated: {len(made)} of {self.options['rows']} rows, and none of the last {self.options['rounds']} "
            f"rounds added one; dropped: {_counts(dropped)}; lower `rows`, raise `rounds`, or choose another teacher"
        )

    def _rounds(
        self, written: Written, seeds: Sequence[Task], made: Sequence[Task], known: Known
    ) -> Iterator[Mapping[str, Any]]:
        """Each round: those that are kept already, then further ones, of which each is kept before the next begins.

        It ends after as many rounds without a row as the option `rounds` says.
        """
        kept, idle = written.rounds(), 0
        teacher = Teacher(self.options["teacher"], self.options)
        for number in count():
            if number < len(kept):
                finished = kept[number]
            else:
                if number == len(kept):
                    _check_room(teacher)
                finished = {"round": number, **_round(number, teacher, self.options, seeds, made, known)}
                written.add(finished)
            yield finished
            idle = 0 if finished["rows"] else idle + 1
            if idle >= self.options["rounds"]:
                return


def _round(
    number: int, teacher: Teacher, options: Mapping[str, Any], seeds: Sequence[Task], made: Sequence[Task], known: Known
) -> dict[str, Any]:
    """Ask for tasks, and have those that are new done: their rows, and why others were dropped."""
    # All that a round draws depends on its number and on the rows before it.
    random, dropped = Random(f"{options['seed']} {number}"), Counter[str]()
    fresh: dict[str, list[str]] = {}
    of_this_round = Known(options["similarity"])
    shown = [self_instruct.draw(random, seeds, made, options["examples"]) for _ in range(options["batch_size"])]
    prompts = [teacher.fitted(self_instruct.prompt_for_instructions, examples) for examples in shown]
    dropped["too long for the teacher"] += prompts.count(None)
    for place, (text, ended) in _said(teacher, prompts, 3 * number):
        instructions = list(self_instruct.instructions_in(text, ended))
        dropped["no instruction"] += not instructions
        for instruction in instructions:
            new = known.is_new(instruction) and of_this_round.is_new(instruction)
            reason = self_instruct.objection(instruction) or (None if new else "too similar")
            if reason:
                dropped[reason] += 1
            else:
                fresh[instruction] = [task.id for task in shown[place]]
                of_this_round.add(instruction)
    few = random.sample(seeds, min(FEW, len(seeds)))
    rows = list(_done(list(fresh), teacher, few, 3 * number, dropped))
    return {"rows": [{**row, "examples": fresh[row["instruction"]]} for row in rows], "dropped": dict(dropped)}


def _done(
    instructions: Sequence[str], teacher: Teacher, few: Sequence[Task], seed: int, dropped: Counter[str]
) -> Iterator[dict[str, str]]:
    """The rows of instructions: an input and an output for each."""
    prompts = [teacher.fitted(partial(self_instruct.prompt_for_input, task), few) for task in instructions]
    inputs = {instructions[at]: self_instruct.input_in(*said) for at, said in _said(teacher, prompts, seed + 1)}
    whole = [(task, data) for task, data in inputs.items() if data is not None]
    prompts = [teacher.fitted(partial(self_instruct.prompt_for_output, *each), few) for each in whole]
    outputs = {whole[at]: said for at, said in _said(teacher, prompts, seed + 2)}
    dropped["input cut off"] += len(inputs) - len(whole)
    dropped["too long for the teacher"] += len(instructions) - len(inputs) + len(whole) - len(outputs)
    for (task, data), said in outputs.items():
        output = self_instruct.output_in(*said)
        if output is None:
            dropped["output empty" if said.ended else "output cut off"] += 1
        else:
            yield {"instruction": task, "input": data, "output": output}


def _said(teacher: Teacher, prompts: Sequence[str | None], seed: int) -> list[tuple[int, Said]]:
    """(place of a prompt, what the teacher has said to it) of those that it can take."""
    taken = [(place, prompt) for place, prompt in enumerate(prompts) if prompt is not None]
    said = teacher.ask([prompt for _, prompt in taken], seed) if taken else []
    return [(place, each) for (place, _), each in zip(taken, said, strict=True)]


def _check_room(teacher: Teacher) -> None:
    """Raise `BenchspecError` if the teacher cannot take any prompt."""
    if not teacher.fits(self_instruct.prompt_for_instructions([])):
        raise BenchspecError("generated: max_new_tokens leaves the teacher no room for a prompt; lower it")


def _is_round(found: Mapping[str, Any]) -> bool:
    """Whether a round in the cache has rows and the reasons for what was dropped."""
    rows, dropped = found.get("rows"), found.get("dropped")
    if not isinstance(rows, list) or not isinstance(dropped, dict):
        return False
    texts = all(isinstance(row, dict) and all(isinstance(row.get(key), str) for key in Row._fields) for row in rows)
    return texts and all(type(number) is int for number in dropped.values())


def _counts(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in sorted(dropped.items()) if number) or "nothing"


@hookimpl
def benchspec_register() -> list[type[Dataset]]:
    """The plugins of this module."""
    return [Generated]
