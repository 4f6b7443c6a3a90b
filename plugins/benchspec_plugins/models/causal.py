"""The base classes of causal models: options, tokenizers, weights, and shapes from options or a checkpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from benchspec import Model, PluginError, Shape
from benchspec.machine.hub import lacking
from benchspec_plugins.models.byte_tokenizer import SIZE, byte_tokenizer
from benchspec_plugins.models.hub import load, summary

#: the tokenizer that needs no download
BYTES = "bytes"
#: matrix products are fastest on sizes that are multiples of this
MULTIPLE = 64
#: options that every shape needs
REQUIRED = ("layers", "hidden", "heads")

SOURCE_OPTIONS: Mapping[str, Any] = {
    "weights": {
        "enum": ["pretrained", "random", None],
        "default": "pretrained",
        "description": "a checkpoint's, or random ones from the case's seed, which also depend on the device; null: "
        "those of `path` if it is given, else random, as in the tiny presets",
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

DROPOUT = {
    "type": ["number", "string", "null"],
    "format": "share",
    "minimum": 0,
    "exclusiveMaximum": 1,
    "default": None,
    "description": "dropout probability of hidden values; by default the checkpoint's, or the published one",
}

#: one of these is in each checkpoint, and in each tokenizer
_WEIGHTS = ("*.safetensors", "*.bin")
_TOKENIZER = ("tokenizer*", "vocab*", "*.model")

#: how messages name a dimension
WORDS = {
    "hidden": "a hidden size of {}",
    "ffn": "an ffn size of {}",
    "vocabulary": "a vocabulary of {}",
    "embedding": "embeddings of width {}",
    "rotary": "{} rotary dimensions",
    "pre_norm": "pre_norm {}",
}


def size(description: str) -> dict[str, Any]:
    """The schema of an option that is a dimension of the network."""
    return {"type": ["integer", "null"], "minimum": 1, "default": None, "description": description}


class Causal(Model):
    """A decoder model of `transformers` and its tokenizer."""

    def tokenizer(self) -> Any:
        return self._tokenizer

    def missing(self, online: bool) -> Sequence[str]:
        path = self.options["path"]
        tokenizer = self.options["tokenizer"] or path
        if path is None and self._is_pretrained():
            return [self._no_weights()]
        if tokenizer is None:
            return [self._no_tokenizer()]
        wanted: dict[str, dict[str, Sequence[str]]] = {}
        if path and self._is_pretrained():
            wanted[path] = {"weights": _WEIGHTS}
        if tokenizer not in (None, BYTES):
            wanted.setdefault(tokenizer, {})["tokenizer"] = _TOKENIZER
        return [line for name, parts in wanted.items() if (line := _lacking(name, parts, online))]

    def build(self) -> Any:
        config = self.config()
        config.use_cache = False
        self._check_vocabulary(config)
        return self._pretrained(config) if self._is_pretrained() else self._random(config)

    def _is_pretrained(self) -> bool:
        weights = self.options["weights"] or ("random" if self.options["path"] is None else "pretrained")
        return bool(weights == "pretrained")

    def config(self) -> Any:
        """The `transformers` configuration to build."""
        return self._config_of_checkpoint("`path: FOLDER`")

    @cached_property
    def _tokenizer(self) -> Any:
        name = self.options["tokenizer"] or self.options["path"]
        if name == BYTES:
            return byte_tokenizer()
        if name is None:
            raise PluginError(self._no_tokenizer())
        from transformers import AutoTokenizer

        found = load(AutoTokenizer.from_pretrained, name, "tokenizer", f"`tokenizer: FOLDER` or `tokenizer: {BYTES}`")
        return _with_padding(found, name)

    def _config_of_checkpoint(self, alternatives: str) -> Any:
        from transformers import AutoConfig

        return load(AutoConfig.from_pretrained, self._checkpoint(), "configuration", alternatives)

    def _checkpoint(self) -> str:
        if self.options["path"] is None:
            raise PluginError(self._no_weights())
        return str(self.options["path"])

    def _no_weights(self) -> str:
        return (
            f"the model '{self.name}' has no pretrained weights of this shape on the hub; "
            "give `path: FOLDER` or `weights: random`"
        )

    def _no_tokenizer(self) -> str:
        return f"the model '{self.name}' has no tokenizer of its own; give `tokenizer: FOLDER` or `tokenizer: {BYTES}`"

    def _random(self, config: Any) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        auto: Any = AutoModelForCausalLM
        _set_special_tokens(config, self._tokenizer)
        # What is saved says by this name whose weights it began with: here nobody's.
        config.name_or_path = ""
        try:
            return auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
        except ValueError as error:
            raise PluginError(f"'{self.options['path']}' is not a causal model: {summary(error)}") from error

    def _pretrained(self, config: Any) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        # Always float32: parameters and Adam's moments would otherwise be float16 for a float16 checkpoint.
        loaded = load(
            AutoModelForCausalLM.from_pretrained,
            self._checkpoint(),
            "weights",
            "`weights: random` or `path: FOLDER`",
            config=config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        # A rank that does not load the weights, as under fsdp, gets an empty network without loading information.
        network, info = loaded if isinstance(loaded, tuple) else (loaded, {})
        self._check_complete(info)
        return network

    def _check_complete(self, info: Mapping[str, Any]) -> None:
        """Raise unless every parameter is from the checkpoint: transformers only warns of random ones."""
        for problem, words in (("missing_keys", "lacks"), ("mismatched_keys", "has other shapes for")):
            names = sorted(found if isinstance(found, str) else found[0] for found in info.get(problem, ()))
            if names:
                raise PluginError(
                    f"the checkpoint in {self.options['path']} {words} {len(names)} of the network's parameters, "
                    f"such as {names[0]}; give another `path`, or `weights: random`"
                )

    def _check_vocabulary(self, config: Any) -> None:
        """Raise unless every token has a row in the embeddings: training would fail with an index error."""
        entries, rows = _entries(self._tokenizer), config.get_text_config().vocab_size
        if entries > rows:
            raise PluginError(
                f"the tokenizer has {entries} entries, the model's vocabulary only {rows}; give another `tokenizer`"
            )


class Shaped(Causal):
    """A family of networks. Its shape is given by the options, or by a checkpoint that the options must agree with."""

    #: the family's `model_type` in a checkpoint's config.json
    model_type: ClassVar[str]
    #: the family's configuration class in `transformers`
    config_class: ClassVar[str]
    #: options that are dimensions -> fields of the configuration
    dimensions: ClassVar[Mapping[str, str]]
    #: fields of the configuration that the option `dropout` sets
    dropouts: ClassVar[tuple[str, ...]]
    #: values of the configuration that `count` assumes
    assumed: ClassVar[Mapping[str, Any]]
    #: the configuration's values of fields that a config.json leaves out
    left_out: ClassVar[Mapping[str, Any]]
    #: other names that a config.json may have for its fields
    also: ClassVar[Mapping[str, str]] = {}
    #: every dimension of the network, once it is built
    _built: Mapping[str, Any] | None = None

    def defaults(self, hidden: int, heads: int) -> dict[str, Any]:
        """The dimensions that follow from others unless they are given."""
        raise NotImplementedError

    def check(self, sizes: Mapping[str, Any]) -> None:
        """Raise `PluginError` for invalid dimensions."""
        if sizes["hidden"] % sizes["heads"]:
            raise PluginError(
                f"the model '{self.name}' cannot split hidden ({sizes['hidden']}) evenly over {sizes['heads']} heads"
            )

    def count(self, sizes: Mapping[str, Any]) -> Shape:
        """The shape of a network with these dimensions."""
        raise NotImplementedError

    def shape(self) -> Shape | None:
        sizes = self._built or self._sizes()
        return None if sizes is None or sizes["vocabulary"] is None else self.count(sizes)

    def build(self) -> Any:
        network = super().build()
        # Now known in any case, even if only the hub or a tokenizer could tell.
        self._built = self.sizes_in(network.config.to_dict())
        return network

    def config(self) -> Any:
        config = self._checked_config() if self._has_checkpoint() else self._config_of_options()
        for field in self.dropouts if self.options["dropout"] is not None else ():
            setattr(config, field, self.options["dropout"])
        return config

    def _has_checkpoint(self) -> bool:
        """Whether to use a checkpoint's configuration: for its weights, or because the options give no shape."""
        missing = [key for key in REQUIRED if self.options[key] is None]
        if missing and self.options["path"] is None:
            raise PluginError(
                f"the model '{self.name}' needs the options {', '.join(missing)}, or a `path` to a checkpoint"
            )
        return bool(missing) or self._is_pretrained()

    def _sizes(self) -> dict[str, Any] | None:
        has_checkpoint = self._has_checkpoint() and self.options["path"] is not None
        return self._sizes_of_checkpoint() if has_checkpoint else self._sizes_of_options()

    def _given(self) -> dict[str, Any]:
        return {key: self.options[key] for key in self.dimensions if self.options[key] is not None}

    def _sizes_of_options(self) -> dict[str, Any]:
        """Every dimension; the vocabulary is None if it depends on a tokenizer that must be read first."""
        known = _rounded(SIZE) if self.options["tokenizer"] == BYTES else None
        return {"vocabulary": known, **self._completed(self._given())}

    def _completed(self, sizes: Mapping[str, Any]) -> dict[str, Any]:
        completed = {**self.defaults(sizes["hidden"], sizes["heads"]), **sizes}
        self.check(completed)
        return completed

    def _config_of_options(self) -> Any:
        import transformers

        sizes = self._sizes_of_options()
        sizes["vocabulary"] = sizes["vocabulary"] or _rounded(_entries(self._tokenizer))
        fields = {field: sizes[key] for key, field in self.dimensions.items()}
        return getattr(transformers, self.config_class)(**fields)

    def _checked_config(self) -> Any:
        complete = all(self.options[key] is not None for key in REQUIRED)
        config = self._config_of_checkpoint(f"{'`weights: random` or ' if complete else ''}`path: FOLDER`")
        self.sizes_in(config.to_dict())
        return config

    def _sizes_of_checkpoint(self) -> dict[str, Any] | None:
        """The dimensions in a folder's config.json; without that file, those of the options if they are complete."""
        file = Path(self.options["path"]) / "config.json"
        if not file.is_file():
            return self._sizes_of_options() if len(self._given()) == len(self.dimensions) else None
        return self.sizes_in(read_config(file))

    def sizes_in(self, found: Mapping[str, Any]) -> dict[str, Any] | None:
        """A configuration's dimensions; None if `count` does not cover it. Raises unless the options agree."""
        where = f"the checkpoint in {self.options['path']}"
        if found.get("model_type") != self.model_type:
            raise PluginError(
                f"{where} has the model type {found.get('model_type')}, not {self.model_type}; the model `hf` takes any"
            )
        renamed = {field: found[name] for name, field in self.also.items() if name in found}
        found = {**self.left_out, **renamed, **found}
        sizes = self._completed(
            {key: found[field] for key, field in self.dimensions.items() if found[field] is not None}
        )
        for key, wanted in self._given().items():
            if sizes[key] != wanted:
                raise PluginError(f"{where} has {_words(key, sizes[key])}, but the spec says {wanted}")
        return sizes if all(found.get(field, value) == value for field, value in self.assumed.items()) else None


def read_config(file: Path) -> dict[str, Any]:
    """What a config.json says; raises `PluginError` if it is not JSON or no mapping."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PluginError(f"{file} is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise PluginError(f"{file} is not a configuration: it is a {type(found).__name__}")
    return found


def _lacking(name: str, parts: Mapping[str, Sequence[str]], online: bool) -> str | None:
    """Why parts of a folder or of a name on the hub cannot be had, or None."""
    # `Path.is_dir` raises an error for a name that is too long.
    if os.path.isdir(name):  # noqa: PTH112
        absent = [part for part, files in parts.items() if not any(any(Path(name).glob(file)) for file in files)]
        wanted = ", ".join(file for part in absent for file in parts[part])
        return f"the folder '{name}' has no {' and no '.join(absent)} ({wanted})" if absent else None
    if Path(name).is_absolute():
        return f"'{name}' is not a folder; give one with the {' and '.join(parts)}"
    return lacking(name, parts, online)


def _words(dimension: str, value: Any) -> str:
    return WORDS.get(dimension, f"{{}} {dimension}").format(value)


def _rounded(entries: int) -> int:
    return -(-entries // MULTIPLE) * MULTIPLE


def _entries(tokenizer: Any) -> int:
    """How many embedding rows a tokenizer needs: its largest id + 1, more than its tokens if ids are missing."""
    return 1 + int(max(tokenizer.get_vocab().values()))


def _with_padding(tokenizer: Any, name: str) -> Any:
    if tokenizer.eos_token is None:
        raise PluginError(f"the tokenizer in '{name}' has no end-of-sequence token; give another `tokenizer`")
    if tokenizer.pad_token is None:
        # An additional token would enlarge the embeddings, so another network than the named one would be measured.
        # Padding is masked by length, so which token it is has no effect.
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _set_special_tokens(config: Any, tokenizer: Any) -> None:
    """Set the special token ids of a network with random weights to those of its tokenizer."""
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    # A padding token's embedding stays at zero; if the padding token is eos, its embedding must be trained.
    config.pad_token_id = None if tokenizer.pad_token_id == tokenizer.eos_token_id else tokenizer.pad_token_id
