"""A model that writes rows: its options, what it is known by, and what it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from benchspec import Model
from benchspec.kinds.checkpoints import cast
from benchspec.kinds.generation import Prompt, answer, positions

#: options of a data set whose rows a model writes
OPTIONS: Mapping[str, Any] = {
    "seed": {
        "type": "integer",
        "minimum": 0,
        "maximum": 2**31,
        "default": 42,
        "description": "seed of everything that is drawn: random weights, tokens, examples",
    },
    "temperature": {
        "type": "number",
        "minimum": 0,
        "default": 0.7,
        "description": "0: the most likely token each time; above: tokens are drawn",
    },
    "max_new_tokens": {
        "type": "integer",
        "minimum": 1,
        "default": 256,
        "description": "the most tokens of what the model is asked to write at once",
    },
    "batch_size": {
        "type": "integer",
        "minimum": 1,
        "default": 16,
        "description": "prompts that are given to the model together",
    },
    "precision": {"enum": ["bf16", "fp32"], "default": "bf16", "description": "type of the model's parameters"},
}


Example = TypeVar("Example")


class Said(NamedTuple):
    """What a teacher has said to a prompt."""

    text: str
    #: whether it ended by itself, before it reached the most tokens
    ended: bool


class Teacher:
    """A model plugin that is asked, on this process's accelerator or CPU; built when it is first asked."""

    def __init__(self, model: Model, options: Mapping[str, Any]):
        self._model = model
        self._options = options
        self._network: Any = None

    def ask(self, prompts: Sequence[str], seed: int) -> list[Said]:
        """What the model says to each prompt; the seed is of this call alone."""
        network, target = self._built()
        query = {**self._options, "seed": (self._options["seed"] + 7919 * seed) % 2**32}
        asked = [Prompt(text, text) for text in prompts]
        batches = answer(network, self._model.tokenizer(), asked, query, target)
        return [
            Said(each["text"], ended)
            for batch in batches
            for each, ended in zip(batch.answers, batch.ended, strict=True)
        ]

    def fits(self, prompt: str) -> bool:
        """Whether the model can take a prompt and all that it may say to it."""
        network, _ = self._built()
        most = positions(network)
        length = len(self._model.tokenizer()(prompt)["input_ids"])
        return most is None or length + self._options["max_new_tokens"] <= most

    def fitted(self, prompt: Callable[[Sequence[Example]], str], examples: Sequence[Example]) -> str | None:
        """The prompt with as many of the examples as the model can take; None if it is too long without any."""
        for count in range(len(examples), -1, -1):
            if self.fits(text := prompt(examples[:count])):
                return text
        return None

    def _built(self) -> tuple[Any, Any]:
        import torch
        from transformers import set_seed

        gpu = torch.cuda.is_available()
        target = torch.device("cuda", torch.cuda.current_device()) if gpu else torch.device("cpu")
        if self._network is None:
            set_seed(self._options["seed"])
            dtype = torch.bfloat16 if self._options["precision"] == "bf16" else torch.float32
            self._network = cast(self._model.build(), dtype).to(target)
        return self._network, target


def known_by(model: Model, options: Mapping[str, Any]) -> list[Any]:
    """What the words of a teacher depend on: the plugin, its options and the files of its folder."""
    plain = {key: value for key, value in model.options.items() if isinstance(value, str | int | float | list | dict)}
    plugin = type(model)
    return [
        f"{plugin.__module__}.{plugin.__qualname__}",
        plain,
        *_files(plain.get("path")),
        {key: options[key] for key in OPTIONS},
    ]


def _files(path: Any) -> Iterator[list[Any]]:
    """Name, size and last change of each file of a folder; hashing a checkpoint would take minutes."""
    folder = Path(path) if isinstance(path, str) else None
    for file in sorted(folder.iterdir()) if folder and folder.is_dir() else ():
        found = file.stat()
        yield [file.name, found.st_size, found.st_mtime_ns]


def fingerprint(*parts: Any) -> str:
    """A short text that differs where any of the parts does."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
