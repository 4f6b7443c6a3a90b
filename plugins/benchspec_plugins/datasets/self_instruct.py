"""From a few tasks to many: prompts for a teacher, and what of its words is kept.

After Wang et al. 2022, "Self-Instruct: Aligning Language Models with Self-Generated Instructions", and Stanford Alpaca:
a teacher is shown some tasks and asked for more; those that are no use, or too similar to one that there is, are
dropped; the others are answered. The prompts here are our own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from benchspec import BenchspecError

#: an instruction has this many words
WORDS = range(3, 151)
#: what a model of texts cannot see, show or open
KEYWORDS = frozenset(
    (
        *("image", "images", "picture", "pictures", "photo", "photos", "graph", "graphs", "chart", "charts"),
        *("diagram", "diagrams", "map", "maps", "video", "videos", "audio", "music", "file", "files", "attachment"),
        *("draw", "plot"),
    )
)
#: of the examples in a prompt, how many may be tasks that the teacher has made
OWN_EXAMPLES = 2
#: instances without an input say so in prompts
NO_INPUT = "none"
_NUMBERED = re.compile(r"^\s*(?:task\s*)?\d+\s*[.:)]\s*", re.IGNORECASE)
_NEXT_TASK = re.compile(r"^\s*Task:", re.MULTILINE)


class Task(NamedTuple):
    """An instruction and an instance of it."""

    #: where it is from: the seed task's id, or the row's number
    id: str
    instruction: str
    input: str
    output: str


def read_seed_tasks(path: Path) -> list[Task]:
    """The tasks of a JSON Lines file: `{id, instruction, instances: [{input, output}]}`, the first instance of each.

    Raises `BenchspecError` with the line of the first mistake.
    """
    if not path.is_file():
        raise BenchspecError(f"{path}: is not a file; {_FORM}")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchspecError(f"{path}: cannot be read as text: {getattr(error, 'strerror', None) or error}") from error
    tasks = [_seed_task(f"{path}:{number}", number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not tasks:
        raise BenchspecError(f"{path}: has no seed tasks; {_FORM}")
    return tasks


_FORM = 'each line is {"id": …, "instruction": …, "instances": [{"input": …, "output": …}]}'


def _seed_task(where: str, number: int, line: str) -> Task:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BenchspecError(f"{where}: no JSON ({error}); {_FORM}") from error
    instances = found.get("instances") if isinstance(found, dict) else None
    first = instances[0] if isinstance(instances, list) and instances and isinstance(instances[0], dict) else {}
    texts = [text for text in _texts(found, first) if isinstance(text, str)] if first else []
    if len(texts) != 3 or not texts[0].strip() or not texts[2].strip() or not all(map(_is_text, texts)):
        raise BenchspecError(f"{where}: no seed task; {_FORM}")
    return Task(str(found.get("id", f"line {number}")), *texts)


def _is_text(text: str) -> bool:
    """Whether a tokenizer can take it: a lone surrogate is none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(found: Mapping[str, Any], instance: Mapping[str, Any]) -> list[Any]:
    return [found.get("instruction"), instance.get("input", ""), instance.get("output")]


def draw(random: Random, seeds: Sequence[Task], made: Sequence[Task], count: int) -> list[Task]:
    """Examples for a prompt, a few of them made before, in random order."""
    own = random.sample(made, min(OWN_EXAMPLES, len(made), count - 1))
    examples = [*own, *random.sample(seeds, min(count - len(own), len(seeds)))]
    random.shuffle(examples)
    return examples


def prompt_for_instructions(examples: Sequence[Task]) -> str:
    lines = [f"Task {number}: {_one_line(task.instruction)}" for number, task in enumerate(examples, 1)]
    head = "Here are tasks for a language model. Each differs from the others in topic and wording."
    return "\n".join([head, "", *lines, f"Task {len(lines) + 1}:"])


def prompt_for_input(instruction: str, examples: Sequence[Task]) -> str:
    head = f"For each task, write an input that it needs, in one line; write '{NO_INPUT}' if it needs none."
    shown = [f"Task: {_one_line(task.instruction)}\nInput: {_one_line(task.input) or NO_INPUT}" for task in examples]
    return "\n\n".join([head, *shown, f"Task: {instruction}\nInput:"])


def prompt_for_output(instruction: str, data: str, examples: Sequence[Task]) -> str:
    shown = [
        f"Task: {_one_line(task.instruction)}\nInput: {_one_line(task.input) or NO_INPUT}\nOutput: {task.output}"
        for task in examples
    ]
    asked = f"Task: {instruction}\nInput: {data or NO_INPUT}\nOutput:"
    return "\n\n".join(["Each task is done as well as it can be.", *shown, asked])


def instructions_in(text: str, ended: bool) -> Iterator[str]:
    """The instructions in what a teacher has said, one a line; the last one may have been cut off."""
    lines = text.split("\n")
    for line in lines if ended else lines[:-1]:
        if found := _one_line(_NUMBERED.sub("", line)):
            yield found


def input_in(text: str, ended: bool) -> str | None:
    """The input in what a teacher has said: its first line; None if that was cut off."""
    first, newline, _ = text.partition("\n")
    if not newline and not ended:
        return None
    found = first.strip()
    return "" if found.strip("<>().").lower() in (NO_INPUT, "") else found


def output_in(text: str, ended: bool) -> str | None:
    """The answer in what a teacher has said, up to a further task; None if it was cut off or is empty."""
    following = _NEXT_TASK.search(text)
    if following is None and not ended:
        return None
    return (text[: following.start()] if following else text).strip() or None


def objection(instruction: str) -> str | None:
    """Why an instruction is no use, in two words; None if it may be."""
    words = re.findall(r"\w+", instruction.lower())
    if len(words) not in WORDS:
        return "too short" if len(words) < WORDS.start else "too long"
    if not KEYWORDS.isdisjoint(words):
        return "needs more than text"
    return None if instruction[0].isalnum() or instruction[0] in "\"'(" else "begins oddly"


class Known:
    """The instructions that there are, to compare others with by ROUGE-L (Lin 2004)."""

    def __init__(self, most: float):
        from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]
        from rouge_score.tokenizers import DefaultTokenizer  # type: ignore[import-untyped]

        self._most = most
        self._tokenizer = DefaultTokenizer(use_stemmer=False)
        self._scorer: Any = RougeScorer(["rougeL"])
        #: each instruction, and its number of words
        self._known: list[tuple[str, int]] = []

    def add(self, instruction: str) -> None:
        self._known.append((instruction, self._length(instruction)))

    def is_new(self, instruction: str) -> bool:
        """Whether its ROUGE-L F-measure with each of the known ones is below the most."""
        length = self._length(instruction)
        return not any(
            self._can_be_similar(length, other) and self._score(known, instruction) >= self._most
            for known, other in self._known
        )

    def _length(self, instruction: str) -> int:
        return len(self._tokenizer.tokenize(instruction))

    def _can_be_similar(self, one: int, other: int) -> bool:
        """Whether texts of so many words can be: at best, one is part of the other."""
        return 2 * min(one, other) >= self._most * (one + other)

    def _score(self, known: str, instruction: str) -> float:
        return float(self._scorer.score(known, instruction)["rougeL"].fmeasure)


def _one_line(text: str) -> str:
    return " ".join(text.split())
