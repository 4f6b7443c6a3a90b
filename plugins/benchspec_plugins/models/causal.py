"""What the causal models have in common: options, tokenizers, weights, and shapes given or found in a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from benchspec import Model, PluginError, Shape
from benchspec_plugins.models.byte_tokenizer import SIZE, byte_tokenizer
from benchspec_plugins.models.hub import in_a_line, load

#: the tokenizer that needs no download
BYTES = "bytes"
#: matrix products are fastest on sizes that are multiples of this
MULTIPLE = 64
#: options that every shape needs
REQUIRED = ("layers", "hidden", "heads")

SOURCE_OPTIONS: Mapping[str, Any] = {
    "weights": {
        "enum": ["pretrained", "random"],
        "default": "pretrained",
        "description": "a checkpoint's, or drawn from the case's seed on the device that builds; backends may differ",
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
    "type": ["number", "null"],
    "minimum": 0,
    "exclusiveMaximum": 1,
    "default": None,
    "description": "probability of dropping a hidden value; by default the checkpoint's, or the published one",
}

#: how messages say a dimension
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
    """A decoder of `transformers` with its tokenizer, and where both come from."""

    def tokenizer(self) -> Any:
        return self._tokenizer

    def build(self) -> Any:
        config = self.config()
        config.use_cache = False
        self._check_vocabulary(config)
        return self._random(config) if self.options["weights"] == "random" else self._pretrained(config)

    def config(self) -> Any:
        """The `transformers` configuration to build."""
        return self._config_of_checkpoint("`path: FOLDER`")

    @cached_property
    def _tokenizer(self) -> Any:
        name = self.options["tokenizer"] or self.options["path"]
        if name == BYTES:
            return byte_tokenizer()
        if name is None:
            raise PluginError(
                f"the model '{self.name}' has no tokenizer of its own; give `tokenizer: FOLDER` or `tokenizer: {BYTES}`"
            )
        from transformers import AutoTokenizer

        found = load(AutoTokenizer.from_pretrained, name, "tokenizer", f"`tokenizer: FOLDER` or `tokenizer: {BYTES}`")
        return _with_padding(found, name)

    def _config_of_checkpoint(self, ways_out: str) -> Any:
        from transformers import AutoConfig

        return load(AutoConfig.from_pretrained, self._checkpoint(), "configuration", ways_out)

    def _checkpoint(self) -> str:
        if self.options["path"] is None:
            raise PluginError(
                f"the model '{self.name}' has no weights to start from, since none of this shape are on the hub; "
                "give them by `path: FOLDER`, or choose `weights: random`"
            )
        return str(self.options["path"])

    def _random(self, config: Any) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        auto: Any = AutoModelForCausalLM
        _adopt_special_tokens(config, self._tokenizer)
        try:
            return auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
        except ValueError as error:
            raise PluginError(f"no causal model can be made of '{self.options['path']}': {in_a_line(error)}") from error

    def _pretrained(self, config: Any) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        # float32 whatever the checkpoint holds: a float16 one would train float16 parameters with a float16 Adam.
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
        # A process that a backend spares the reading gets an empty network, and nothing to say about it.
        network, told = loaded if isinstance(loaded, tuple) else (loaded, {})
        self._check_complete(told)
        return network

    def _check_complete(self, told: Mapping[str, Any]) -> None:
        """Raise unless every parameter is the checkpoint's: transformers draws the others at random, and only warns."""
        for problem, words in (("missing_keys", "lacks"), ("mismatched_keys", "has in another shape")):
            names = sorted(found if isinstance(found, str) else found[0] for found in told.get(problem, ()))
            if names:
                raise PluginError(
                    f"the checkpoint in {self.options['path']} {words} {len(names)} of the network's parameters, "
                    f"{names[0]} among them; give another `path`, or take `weights: random`"
                )

    def _check_vocabulary(self, config: Any) -> None:
        """Raise unless every token has a row in the embeddings: training would end in an index error."""
        entries, rows = _entries(self._tokenizer), config.get_text_config().vocab_size
        if entries > rows:
            raise PluginError(
                f"the tokenizer has {entries} entries and the model's vocabulary {rows}; give another `tokenizer`"
            )


class Shaped(Causal):
    """A family of networks: the options give the shape, or a checkpoint has it and the options agree."""

    #: the family's `model_type`, as a checkpoint's config.json says it
    model_type: ClassVar[str]
    #: the family's configuration class in `transformers`
    config_class: ClassVar[str]
    #: options that are dimensions -> fields of the configuration
    dimensions: ClassVar[Mapping[str, str]]
    #: fields of the configuration that the option `dropout` sets
    dropouts: ClassVar[tuple[str, ...]]
    #: what `count` takes for granted of a configuration
    assumed: ClassVar[Mapping[str, Any]]
    #: every dimension of what was built
    _built: Mapping[str, Any] | None = None

    def defaults(self, hidden: int, heads: int) -> dict[str, Any]:
        """The dimensions that follow from others, where nothing else is said."""
        raise NotImplementedError

    def check(self, sizes: Mapping[str, Any]) -> None:
        """Raise `PluginError` for dimensions that make no network."""
        if sizes["hidden"] % sizes["heads"]:
            raise PluginError(
                f"the model '{self.name}' cannot split hidden ({sizes['hidden']}) evenly over {sizes['heads']} heads"
            )

    def count(self, sizes: Mapping[str, Any]) -> Shape:
        """The shape that all dimensions together make."""
        raise NotImplementedError

    def shape(self) -> Shape | None:
        sizes = self._built or self._sizes()
        return None if sizes is None or sizes["vocabulary"] is None else self.count(sizes)

    def build(self) -> Any:
        network = super().build()
        # From now on also where the hub or a tokenizer had to tell.
        self._built = self._sizes_in(network.config.to_dict())
        return network

    def config(self) -> Any:
        config = self._agreed_config() if self._has_checkpoint() else self._config_of_options()
        for field in self.dropouts if self.options["dropout"] is not None else ():
            setattr(config, field, self.options["dropout"])
        return config

    def _has_checkpoint(self) -> bool:
        """Whether a checkpoint's configuration is built: for its weights, or since the options give no shape."""
        missing = [key for key in REQUIRED if self.options[key] is None]
        if missing and self.options["path"] is None:
            raise PluginError(
                f"the model '{self.name}' needs {', '.join(missing)}, or `path`, a checkpoint that has them"
            )
        return bool(missing) or self.options["weights"] == "pretrained"

    def _sizes(self) -> dict[str, Any] | None:
        has_checkpoint = self._has_checkpoint() and self.options["path"] is not None
        return self._sizes_of_checkpoint() if has_checkpoint else self._sizes_of_options()

    def _given(self) -> dict[str, Any]:
        return {key: self.options[key] for key in self.dimensions if self.options[key] is not None}

    def _sizes_of_options(self) -> dict[str, Any]:
        """Every dimension; a vocabulary that only reading a tokenizer can tell is None."""
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

    def _agreed_config(self) -> Any:
        complete = all(self.options[key] is not None for key in REQUIRED)
        config = self._config_of_checkpoint(f"{'`weights: random` or ' if complete else ''}`path: FOLDER`")
        self._sizes_in(config.to_dict())
        return config

    def _sizes_of_checkpoint(self) -> dict[str, Any] | None:
        """As a folder's config.json says, else as the options do where they leave nothing to the checkpoint."""
        file = Path(self.options["path"]) / "config.json"
        if not file.is_file():
            return self._sizes_of_options() if len(self._given()) == len(self.dimensions) else None
        try:
            found = json.loads(file.read_text())
        except ValueError as error:
            raise PluginError(f"{file} is no JSON: {error}") from error
        return self._sizes_in(found)

    def _sizes_in(self, found: Mapping[str, Any]) -> dict[str, Any] | None:
        """A configuration's dimensions, None where `count` does not know them all; raises unless the options agree."""
        where = f"the checkpoint in {self.options['path']}"
        if found.get("model_type") != self.model_type:
            raise PluginError(f"{where} is a {found.get('model_type')}, no {self.model_type}; the model `hf` takes any")
        if any(field not in found for field in self.dimensions.values()):
            return None
        sizes = self._completed(
            {key: found[field] for key, field in self.dimensions.items() if found[field] is not None}
        )
        for key, wanted in self._given().items():
            if sizes[key] != wanted:
                raise PluginError(f"{where} has {_words(key, sizes[key])}, the spec says {wanted}")
        return sizes if all(found.get(field, value) == value for field, value in self.assumed.items()) else None


def _words(dimension: str, value: Any) -> str:
    return WORDS.get(dimension, f"{{}} {dimension}").format(value)


def _rounded(entries: int) -> int:
    return -(-entries // MULTIPLE) * MULTIPLE


def _entries(tokenizer: Any) -> int:
    """How many rows the ids of a tokenizer reach over; more than it has tokens where there are gaps between them."""
    return 1 + int(max(tokenizer.get_vocab().values()))


def _with_padding(tokenizer: Any, name: str) -> Any:
    if tokenizer.eos_token is None:
        raise PluginError(f"the tokenizer in '{name}' has no end-of-sequence token; give another `tokenizer`")
    if tokenizer.pad_token is None:
        # Not a token of its own, for which the embeddings would have to grow: padding is masked by length, so nothing
        # is ever learnt about it, and a larger network would be measured than the one that is named.
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _adopt_special_tokens(config: Any, tokenizer: Any) -> None:
    """Make a network of random weights know the tokenizer that it will be trained with."""
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    # Networks keep the padding token's embedding at zero; where it is eos, that has to be learnt.
    config.pad_token_id = None if tokenizer.pad_token_id == tokenizer.eos_token_id else tokenizer.pad_token_id
