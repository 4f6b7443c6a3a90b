"""What the causal models have in common: options, tokenizers, weights, and what to say where they are not to be had."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from benchspec import Model, PluginError
from benchspec_plugins.models.byte_tokenizer import SIZE, byte_tokenizer

#: the tokenizer that needs no download
BYTES = "bytes"
#: matrix products are fastest on sizes that are multiples of this
MULTIPLE = 64

SOURCE_OPTIONS: Mapping[str, Any] = {
    "weights": {
        "enum": ["pretrained", "random"],
        "default": "pretrained",
        "description": "a checkpoint's, or drawn from the case's seed",
    },
    "tokenizer": {
        "type": ["string", "null"],
        "format": "path-or-hub",
        "default": None,
        "description": "a folder, a hub name, or `bytes` for a built-in one; by default the model's own",
    },
    "path": {
        "type": ["string", "null"],
        "format": "path-or-hub",
        "default": None,
        "description": "a folder or a hub name with the checkpoint and its tokenizer",
    },
}


def size(description: str) -> dict[str, Any]:
    """The schema of an option that is a dimension of the network."""
    return {"type": ["integer", "null"], "minimum": 1, "default": None, "description": description}


DROPOUT = {
    "type": ["number", "null"],
    "minimum": 0,
    "exclusiveMaximum": 1,
    "default": None,
    "description": "probability of dropping a hidden value; by default the published one",
}


class Causal(Model):
    """A decoder of `transformers`, with pretrained or random weights."""

    #: options -> fields of the configuration class; an option that is None leaves the field alone
    config_fields: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def config(self, vocabulary: int, special: Mapping[str, int | None]) -> Any:
        """The configuration for the options, with that vocabulary and those special tokens."""
        raise NotImplementedError

    def tokenizer(self) -> Any:
        name = self.options["tokenizer"] or self.options["path"]
        if name == BYTES:
            return byte_tokenizer()
        if name is None:
            raise PluginError(f"no tokenizer is known for this model; give `tokenizer: FOLDER` or `tokenizer: {BYTES}`")
        with _within_reach("tokenizer", name, f"`tokenizer: FOLDER`, `tokenizer: {BYTES}`"):
            return _with_padding(_tokenizer(name))

    def build(self) -> Any:
        network = self._random() if self.options["weights"] == "random" else self._pretrained()
        network.config.use_cache = False
        return network

    def fields(self) -> dict[str, Any]:
        """The configuration's fields that the options set."""
        given = {key: self.options.get(key) for key in self.config_fields}
        return {field: value for key, value in given.items() if value is not None for field in self.config_fields[key]}

    def has_shape(self) -> bool:
        """Whether the options give the shape; raises `PluginError` where neither they nor a checkpoint do."""
        missing = [key for key in ("layers", "hidden", "heads") if self.options.get(key) is None]
        if missing and self.options["path"] is None:
            raise PluginError(
                f"the model '{self.name}' needs {', '.join(missing)}, or `path`, a checkpoint that has them"
            )
        return not missing

    def vocabulary(self) -> int | None:
        """The vocabulary, where it can be known without reading a tokenizer: a multiple of 64 that holds all of it."""
        if self.options["vocabulary"] is not None:
            return int(self.options["vocabulary"])
        return _rounded(SIZE) if self.options["tokenizer"] == BYTES else None

    def _random(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        config = self._config_of_path() if not self.has_shape() else self._config_of_options()
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32)

    def _config_of_options(self) -> Any:
        tokenizer = self.tokenizer()
        vocabulary = self.vocabulary() or _rounded(len(tokenizer))
        if vocabulary < len(tokenizer):
            raise PluginError(f"the tokenizer has {len(tokenizer)} entries, the model's vocabulary {vocabulary}")
        names = ("bos_token_id", "eos_token_id", "pad_token_id")
        return self.config(vocabulary, {name: getattr(tokenizer, name) for name in names})

    def _config_of_path(self) -> Any:
        from transformers import AutoConfig

        path = self.options["path"]
        with _within_reach("configuration", path, "`path: FOLDER`, or the shape as options"):
            config = AutoConfig.from_pretrained(path, local_files_only=_is_local(path))
        self._check_shape(config)
        for field, value in self.fields().items():
            setattr(config, field, value)
        return config

    def _pretrained(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        path = self.options["path"]
        if path is None:
            raise PluginError(
                "no checkpoint of this model is on the hub; give `path: FOLDER`, or take `weights: random`"
            )
        config = self._config_of_path()
        # transformers would otherwise ask a web service to convert a checkpoint that is not in safetensors.
        os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
        with _within_reach("weights", path, "`weights: random`, `path: FOLDER`"):
            # float32 whatever the checkpoint holds: a float16 one would train float16 parameters with a float16 Adam.
            # Where a checkpoint has no safetensors, torch reads it with weights_only: tensors, and no code.
            return AutoModelForCausalLM.from_pretrained(
                path, config=config, dtype=torch.float32, local_files_only=_is_local(path)
            )

    def _check_shape(self, config: Any) -> None:
        """Raise unless a checkpoint has the shape that the options give; dropout is free."""
        for key, names in self.config_fields.items():
            wanted = self.options.get(key)
            found = getattr(config, names[0], wanted)
            if wanted is not None and "dropout" not in key and found is not None and found != wanted:
                raise PluginError(f"the checkpoint in {self.options['path']} has {key} {found}, the spec says {wanted}")


def _rounded(entries: int) -> int:
    return -(-entries // MULTIPLE) * MULTIPLE


def _tokenizer(name: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(name, local_files_only=_is_local(name))


def _with_padding(tokenizer: Any) -> Any:
    if tokenizer.eos_token_id is None:
        raise PluginError(f"the tokenizer {tokenizer.name_or_path} has no end-of-sequence token")
    if tokenizer.pad_token_id is None:
        # Not a token of its own, for which the embeddings would have to grow: padding is masked by length.
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _is_local(name: str) -> bool:
    return Path(name).is_dir()


@contextmanager
def _within_reach(what: str, name: str, ways_out: str) -> Iterator[None]:
    """Turns what the hub's client says of a name that is not to be had into one line with the ways out."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split("\n")[0].split())
        download = "" if _is_local(name) else f", or download it where there is a network: `hf download {name}`"
        raise PluginError(f"no {what} to be had from '{name}' ({reason[:200]}); give {ways_out}{download}") from error


Presets = Mapping[str, Mapping[str, Any]]
ConfigClass = Callable[..., Any]
