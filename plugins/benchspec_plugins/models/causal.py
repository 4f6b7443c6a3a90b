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
#: seconds that the hub gets to answer, twice, before what is on this machine must do
PATIENCE = 4
#: options that every shape needs
REQUIRED = ("layers", "hidden", "heads")

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
    """A decoder of `transformers`, with pretrained or random weights."""

    #: the `model_type` of the configurations that fit; None: any
    architecture: ClassVar[str | None] = None
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
        with _within_reach("tokenizer", name, f"`tokenizer: FOLDER`, `tokenizer: {BYTES}`") as only_here:
            return _with_padding(_tokenizer(name, only_here))

    def build(self) -> Any:
        network = self._random() if self.options["weights"] == "random" else self._pretrained()
        network.config.use_cache = False
        # From here on the shape is known, also where a folder or a tokenizer had to tell it.
        self.options = {**self.options, **self._told_by(network.config)}
        return network

    def fields(self) -> dict[str, Any]:
        """The configuration's fields that the options set."""
        given = {key: self.options.get(key) for key in self.config_fields}
        return {field: value for key, value in given.items() if value is not None for field in self.config_fields[key]}

    def has_shape(self) -> bool:
        """Whether the options give the shape; raises `PluginError` for one that cannot be, or where nothing gives it."""
        missing = [key for key in ("layers", "hidden", "heads") if self.options.get(key) is None]
        if missing and self.options["path"] is None:
            raise PluginError(
                f"the model '{self.name}' needs {', '.join(missing)}, or `path`, a checkpoint that has them"
            )
        if not missing and self.options["hidden"] % self.options["heads"]:
            raise PluginError(f"hidden {self.options['hidden']} is no multiple of heads {self.options['heads']}")
        return not missing

    def vocabulary(self) -> int | None:
        """The vocabulary, where it can be known without reading a tokenizer: a multiple of 64 that holds all of it."""
        if self.options["vocabulary"] is not None:
            return int(self.options["vocabulary"])
        return _rounded(SIZE) if self.options["tokenizer"] == BYTES else None

    def _told_by(self, config: Any) -> dict[str, Any]:
        """The options as a configuration has them."""
        found = {key: getattr(config, names[0], None) for key, names in self.config_fields.items()}
        return {key: value for key, value in found.items() if value is not None}

    def _random(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        config = self._config_of_options() if self.has_shape() else self._config_of_path()
        with _within_reach("network", self.options["path"] or self.name, "another `path`"):
            return AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)

    def _config_of_options(self) -> Any:
        tokenizer = self.tokenizer()
        vocabulary = self.vocabulary() or _rounded(_entries(tokenizer))
        _check_room(tokenizer, vocabulary)
        return self.config(vocabulary, _special(tokenizer))

    def _config_of_path(self) -> Any:
        from transformers import AutoConfig

        path = self.options["path"]
        with _within_reach("configuration", path, "`path: FOLDER`, or the shape as options") as only_here:
            config = AutoConfig.from_pretrained(path, local_files_only=only_here, trust_remote_code=False)
        self._check_shape(config)
        if self.options["tokenizer"] is not None:
            # Only one that was chosen: some checkpoints' own have more entries than the network, and never use them.
            _check_room(self.tokenizer(), config.get_text_config().vocab_size)
        for field, value in self.fields().items():
            setattr(config, field, value)
        return config

    def _pretrained(self) -> Any:
        path = self.options["path"]
        if path is None:
            raise PluginError(
                f"no checkpoint of '{self.name}' with this shape is known; "
                "give `path: FOLDER`, or take `weights: random`"
            )
        config = self._config_of_path()
        # transformers would otherwise ask a web service to convert a checkpoint that is not in safetensors.
        os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
        with _within_reach("weights", path, "`weights: random`, `path: FOLDER`") as only_here:
            return _loaded(path, config, only_here)

    def _check_shape(self, config: Any) -> None:
        """Raise unless a checkpoint is of this family and has the shape that the options give; dropout is free."""
        path = self.options["path"]
        if self.architecture not in (None, config.model_type):
            raise PluginError(f"'{path}' holds a {config.model_type}, not a model '{self.name}'; 'hf' takes any")
        told = self._told_by(config)
        for key in self.config_fields.keys() - {"dropout"}:
            wanted = self.options.get(key)
            if wanted is not None and told.get(key, wanted) != wanted:
                raise PluginError(f"{key} is {told[key]} in '{path}', and {wanted} in the spec or its preset")


def _loaded(path: str, config: Any, only_here: bool) -> Any:
    """The checkpoint in float32, whatever it holds: a float16 one would train float16 parameters with such an Adam.

    Where it has no safetensors, torch reads it with `weights_only`: tensors, and no code.
    """
    import torch
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(
        path,
        config=config,
        dtype=torch.float32,
        local_files_only=only_here,
        trust_remote_code=False,
        output_loading_info=True,
    )
    # A backend that reads the checkpoint on one rank only gives the others an empty network, and nothing to tell.
    network, told = loaded if isinstance(loaded, tuple) else (loaded, {})
    if missing := sorted(told.get("missing_keys", ())):
        raise ValueError(f"{len(missing)} parameters are not in it, {missing[0]} among them")
    return network


def _rounded(entries: int) -> int:
    return -(-entries // MULTIPLE) * MULTIPLE


def _entries(tokenizer: Any) -> int:
    """How many embeddings a tokenizer needs: its ids may have gaps."""
    return int(max(tokenizer.get_vocab().values())) + 1


def _check_room(tokenizer: Any, vocabulary: int) -> None:
    if (entries := _entries(tokenizer)) > vocabulary:
        raise PluginError(f"the tokenizer has {entries} entries, more than the model's vocabulary of {vocabulary}")


def _special(tokenizer: Any) -> dict[str, int | None]:
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    ids = {name: getattr(tokenizer, name) for name in names}
    if ids["pad_token_id"] == ids["eos_token_id"]:
        # An embedding learns nothing from the padding token, but must from the end of a sequence.
        ids["pad_token_id"] = None
    return ids


def _tokenizer(name: str, only_here: bool) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(name, local_files_only=only_here, trust_remote_code=False)


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
def _within_reach(what: str, name: str, ways_out: str) -> Iterator[bool]:
    """Yields whether to look on this machine only; turns what is then not to be had into one line with the ways out."""
    silence = None if _is_local(name) else _hub_silence()
    try:
        yield _is_local(name) or silence is not None
    except (OSError, ValueError, RuntimeError) as error:
        if "trust_remote_code" in str(error):
            raise PluginError(f"'{name}' comes with code of its own, which benchspec does not run") from error
        reason = f"the hub does not answer: {silence}" if silence else str(error)
        download = "" if _is_local(name) else f", or download it where there is a network: `hf download {name}`"
        raise PluginError(f"no {what} to be had from '{name}' ({_short(reason)}); give {ways_out}{download}") from error


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _hub_silence() -> str | None:
    """Why the hub does not answer, or None where it does.

    Asked beforehand, because the hub's client would try for half a minute, and for each file again.
    """
    from huggingface_hub import constants, get_session

    reason = None
    for _ in range(2):
        try:
            get_session().head(constants.ENDPOINT, timeout=PATIENCE)
        except Exception as error:  # which ones depends on the library that the hub's client uses for HTTP
            reason = _short(str(error)) or type(error).__name__
        else:
            return None
    return reason
