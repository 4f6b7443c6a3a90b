"""Rows with Alpaca's published statistics, generated from a seed: nothing to download."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from itertools import chain, islice, pairwise
from typing import NamedTuple

from benchspec import Dataset, Row, hookimpl
from benchspec_plugins.datasets import vocabulary

#: distributions as (cumulative share of rows in thousandths, words): an output, an input (0: none), a task's context
OUTPUTS = ((0, 1), (50, 4), (100, 8), (250, 19), (500, 34), (750, 54), (900, 88), (950, 114), (990, 185), (1000, 300))
INPUTS = ((0, 0), (590, 0), (591, 1), (690, 4), (795, 7), (897, 11), (959, 21), (990, 60), (1000, 120))
CONTEXTS = ((0, 0), (880, 0), (881, 6), (1000, 16))

#: rows per block; the lengths in each block follow the distribution, so that 1,000 rows have the mean length of 52,002
BLOCK = 100
LONGEST_SENTENCE = 16
SHORTEST_SENTENCE = 5


class Synthetic(Dataset):
    """English-like rows as long as Alpaca's: 58.2 words and 76.7 tokens of OPT's tokenizer on average.

    Both averages are those of the 52,002 rows in Fauber and Patel, "Fine-tuning Language Models on Dell PowerEdge
    XE9680 Servers" (2023). 41% of the rows have an input; outputs have 1 to 300 words, half of them at most 34. Word
    frequencies follow Zipf's law and each row has one topic, so that a model has something to learn. The same seed
    gives the same rows on every platform, and a smaller data set is the beginning of a larger one.
    """

    name = "synthetic"
    options_schema = {
        "properties": {
            "rows": {"type": "integer", "minimum": 1, "default": 52_002, "description": "number of rows"},
            "seed": {"type": "integer", "minimum": 0, "default": 42, "description": "seed of the text"},
        }
    }

    def rows(self) -> Sequence[Row]:
        """The rows, generated once."""
        return self._rows

    def size(self) -> int:
        return int(self.options["rows"])

    @cached_property
    def _rows(self) -> list[Row]:
        return list(islice(_rows(self.options["seed"]), self.options["rows"]))


class Pattern(NamedTuple):
    """A sentence for one topic: text with `%s` for each slot, and the words that each slot draws from."""

    text: str
    pools: Sequence[Sequence[str]]


class Topic(NamedTuple):
    """The patterns of one topic."""

    #: by length in words
    sentences: Sequence[Sequence[Pattern]]
    tasks: Sequence[Pattern]
    tasks_with_input: Sequence[Pattern]


#: `random.Random.random`: the only method whose results Python guarantees to keep across versions
Draw = Callable[[], float]


def _rows(seed: int) -> Iterator[Row]:
    """An endless sequence of rows."""
    draw, topics = random.Random(seed).random, _topics()
    outputs, inputs, contexts = _table(OUTPUTS), _table(INPUTS), _table(CONTEXTS)
    while True:
        lengths = zip(
            _block_lengths(draw, contexts), _block_lengths(draw, inputs), _block_lengths(draw, outputs), strict=True
        )
        for context, input_, output in lengths:
            topic = topics[int(draw() * len(topics))]
            yield Row(
                _task(draw, topic, context, input_ > 0), _prose(draw, topic, input_), _answer(draw, topic, output)
            )


def _table(points: Sequence[tuple[int, int]]) -> list[int]:
    """The length for each thousandth of the rows, interpolated between the points."""
    steps = (
        [(low * (end - at) + high * (at - begin)) // (end - begin) for at in range(begin, end)]
        for (begin, low), (end, high) in pairwise(points)
    )
    return list(chain.from_iterable(steps))


def _block_lengths(draw: Draw, table: Sequence[int]) -> list[int]:
    """A length for each row of a block: one from each equal part of the table, in random order."""
    part = len(table) // BLOCK
    return [table[place * part + int(draw() * part)] for place in sorted(range(BLOCK), key=lambda _: draw())]


def _task(draw: Draw, topic: Topic, context: int, with_input: bool) -> str:
    tasks = topic.tasks_with_input if with_input else topic.tasks
    task = _fill(draw, tasks[int(draw() * len(tasks))])
    return f"{_prose(draw, topic, context)} {task}" if context else task


def _answer(draw: Draw, topic: Topic, words: int) -> str:
    """Prose; some answers begin with a quote or are a numbered list, as in Alpaca."""
    form = draw()
    if words >= 2 * LONGEST_SENTENCE and form < 0.2:
        return _numbered(draw, topic, words)
    first, *rest = _sentences(draw, topic, _split(draw, words))
    return " ".join([f'"{first}"' if form > 0.94 else first, *rest])


def _numbered(draw: Draw, topic: Topic, words: int) -> str:
    """A numbered list; its numbers count as words."""
    items = _sentences(draw, topic, (length - 1 for length in _split(draw, words)))
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, 1))


def _prose(draw: Draw, topic: Topic, words: int) -> str:
    return " ".join(_sentences(draw, topic, _split(draw, words)))


def _split(draw: Draw, words: int) -> Iterator[int]:
    """Sentence lengths that add up to this many words; only a text that is short as a whole has very short ones."""
    spread = LONGEST_SENTENCE - SHORTEST_SENTENCE + 1
    while words > LONGEST_SENTENCE + SHORTEST_SENTENCE:
        length = SHORTEST_SENTENCE + int(draw() * spread)
        yield length
        words -= length
    if words > LONGEST_SENTENCE:
        yield words // 2
        words -= words // 2
    if words:
        yield words


def _sentences(draw: Draw, topic: Topic, lengths: Iterator[int]) -> list[str]:
    patterns = (topic.sentences[length] for length in lengths)
    return [_fill(draw, choice[int(draw() * len(choice))]) for choice in patterns]


def _fill(draw: Draw, pattern: Pattern) -> str:
    text = pattern.text % tuple([pool[int(draw() * len(pool))] for pool in pattern.pools])
    return text[0].upper() + text[1:]


@cache
def _topics() -> list[Topic]:
    """Every topic's patterns; the same for every seed."""
    common = {
        "a": _zipf(vocabulary.ADJECTIVES),
        "v": _zipf(vocabulary.VERBS),
        "i": _zipf(vocabulary.INFINITIVES),
        "r": _zipf(vocabulary.ADVERBS),
        "w": _zipf(vocabulary.PEOPLE),
        "p": _zipf(vocabulary.NAMES),
        "d": _zipf(vocabulary.NUMBERS),
    }
    return [_topic({**common, "n": _zipf(nouns)}) for nouns in vocabulary.TOPICS.values()]


def _topic(pools: dict[str, list[str]]) -> Topic:
    sentences: list[list[Pattern]] = [[] for _ in range(LONGEST_SENTENCE + 1)]
    for text in vocabulary.SENTENCES:
        sentences[len(text.split())].append(_pattern(text, pools))
    tasks, tasks_with_input = (
        [_pattern(text, pools) for text in texts] for texts in (vocabulary.TASKS, vocabulary.TASKS_WITH_INPUT)
    )
    return Topic(sentences, tasks, tasks_with_input)


def _pattern(text: str, pools: dict[str, list[str]]) -> Pattern:
    return Pattern(re.sub(r"\{\w\}", "%s", text), [pools[slot] for slot in re.findall(r"\{(\w)\}", text)])


def _zipf(words: str) -> list[str]:
    """A list to draw from, in which the word of rank n occurs in proportion to 1 / (n + 1)."""
    ranked = words.split()
    return [word for rank, word in enumerate(ranked, 1) for _ in range(4 * len(ranked) // (rank + 1))]


@hookimpl
def benchspec_register() -> list[type[Dataset]]:
    """The plugins of this module."""
    return [Synthetic]
