"""The size of a network from its config.json, for the architectures of `transformers` that people fine-tune most.

A table says what each architecture calls its dimensions, which values it has where the file leaves a field out because
it is at the class's default, and which parts a block has. The tests count the parameters of each architecture's network
in `transformers` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchspec import Shape

Config = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What the parameters of an architecture depend on. A `str` names a field of the configuration that decides."""

    #: fields of config.json and the values of those that it leaves out
    defaults: Config
    #: our name of a dimension -> the architecture's, if it is not the usual one
    names: Mapping[str, str] = field(default_factory=dict)
    #: whether queries, keys and values, what follows attention, and the feed-forward network have biases
    qkv_bias: bool | str = False
    output_bias: bool | str = False
    ffn_bias: bool | str = False
    #: whether the feed-forward network has a third matrix, a gate
    gated: bool = True
    #: vectors of a norm: 2 with a bias, 0 if it has no parameters
    norm: int = 1
    #: norms of a block; one more stands after the last
    norms: int = 2
    #: norms of queries and keys: None, over each head (shared by all heads), or over all of them
    query_key_norm: str | None = None
    #: rows of a table of positions beyond the longest sequence; None: no table
    positions: int | None = None
    head_bias: bool | str = False
    #: whether attention and feed-forward network work side by side
    parallel: bool | str = False
    #: fields: number of experts, how many a token uses, and the width of one; None: no experts
    experts: tuple[str, str, str] | None = None
    #: field: width of an expert that every token uses, behind a gate
    shared_expert: str | None = None
    #: biases of the router and the experts
    expert_bias: bool = False
    #: parameters of attention for each head beside its matrices
    per_head: int = 0
    #: fields whose values other than these change the network in a way that is not known here
    only: Config = field(default_factory=dict)


def shape_of(config: Config) -> Shape | None:
    """The shape of the network that a config.json describes; None if it is not known for certain."""
    known = ARCHITECTURES.get(str(config.get("model_type")))
    if known is None:
        return None
    whole = {**known.defaults, **_usual_names(known, config), **config}
    # An empty list, false and null say the same.
    if any((whole.get(name) or None) != (value or None) for name, value in known.only.items()):
        return None
    try:
        return _count(known, whole)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _usual_names(known: Architecture, config: Config) -> dict[str, Any]:
    """Dimensions that a file gives by their usual names, under the architecture's own: `transformers` reads both."""
    usual = {own: USUAL[name] for name, own in known.names.items()}
    if known.experts:
        count = known.experts[0]
        usual[count] = next(name for name in ("num_experts", "num_local_experts") if name != count)
    return {own: config[name] for own, name in usual.items() if name in config}


#: our names of dimensions -> the usual ones of `transformers`
USUAL = {
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "heads": "num_attention_heads",
    "key_value_heads": "num_key_value_heads",
    "ffn": "intermediate_size",
    "vocabulary": "vocab_size",
    "positions": "max_position_embeddings",
    "head_dim": "head_dim",
}


@dataclass(frozen=True)
class _Sizes:
    layers: int
    hidden: int
    heads: int
    ffn: int
    vocabulary: int
    positions: int
    queries: int
    keys: int
    head: int


def _sizes(known: Architecture, config: Config) -> _Sizes:
    found = {name: config.get(known.names.get(name, usual)) for name, usual in USUAL.items()}
    hidden, heads = _whole(found["hidden"]), _whole(found["heads"])
    if found["head_dim"] is None and hidden % heads:
        raise ValueError("heads do not divide the width")
    head = _whole(found["head_dim"] or hidden // heads)
    pairs = _whole(found["key_value_heads"] or heads)
    ffn, layers, vocabulary = (
        _whole(value) for value in (found["ffn"] or 4 * hidden, found["layers"], found["vocabulary"])
    )
    return _Sizes(layers, hidden, heads, ffn, vocabulary, _whole(found["positions"]), heads * head, pairs * head, head)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} is no size")
    return value


def _is(config: Config, flag: bool | str) -> bool:
    return bool(config[flag]) if isinstance(flag, str) else flag


def _count(known: Architecture, config: Config) -> Shape:
    sizes = _sizes(known, config)
    attention = _attention(known, config, sizes)
    norms = known.norms * known.norm * sizes.hidden
    whole, active = _feed_forward(known, config, sizes)
    block = attention + norms + active
    tied = bool(config["tie_word_embeddings"])
    words = sizes.vocabulary * sizes.hidden
    table = 0 if known.positions is None else (sizes.positions + known.positions) * sizes.hidden
    head = (0 if tied else words) + (sizes.vocabulary if _is(config, known.head_bias) else 0)
    rest = known.norm * sizes.hidden + words + table + head
    parameters = sizes.layers * (attention + norms + whole) + rest
    return Shape(
        layers=sizes.layers,
        hidden=sizes.hidden,
        heads=sizes.heads,
        ffn=sizes.ffn,
        vocabulary=sizes.vocabulary,
        positions=sizes.positions,
        tied_head=tied,
        parameters=parameters,
        lookup_parameters=table + (0 if tied else words),
        active_parameters=None if active == whole else sizes.layers * block + rest,
        block_parameters=block,
        query_width=None if sizes.queries == sizes.hidden else sizes.queries,
        key_value_width=None if sizes.keys == sizes.hidden else sizes.keys,
        parallel=_is(config, known.parallel),
    )


def _attention(known: Architecture, config: Config, sizes: _Sizes) -> int:
    projections = sizes.queries + 2 * sizes.keys
    inputs = sizes.hidden * projections + (projections if _is(config, known.qkv_bias) else 0)
    output = sizes.queries * sizes.hidden + (sizes.hidden if _is(config, known.output_bias) else 0)
    normed = {None: 0, "head": 2 * sizes.head, "all": sizes.queries + sizes.keys}[known.query_key_norm]
    return inputs + output + known.norm * normed + known.per_head * sizes.heads


def _feed_forward(known: Architecture, config: Config, sizes: _Sizes) -> tuple[int, int]:
    """Parameters of a block's feed-forward network: all of them, and those that a token uses."""
    if known.experts is None:
        return (_network(known, sizes.hidden, sizes.ffn, _is(config, known.ffn_bias)),) * 2
    count, used, width = (_whole(config[name]) for name in known.experts)
    expert = _network(known, sizes.hidden, width, known.expert_bias)
    common = count * sizes.hidden + (count if known.expert_bias else 0)
    if known.shared_expert:
        common += _network(known, sizes.hidden, _whole(config[known.shared_expert]), False) + sizes.hidden
    return count * expert + common, min(used, count) * expert + common


def _network(known: Architecture, hidden: int, width: int, bias: bool) -> int:
    into = 2 if known.gated else 1
    return (into + 1) * hidden * width + ((into * width + hidden) if bias else 0)


def _llama(**changed: Any) -> dict[str, Any]:
    """The fields of a configuration that is like Llama's, with the defaults of Llama's class."""
    return {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": None,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "head_dim": None,
    } | changed


_MISTRAL = _llama(intermediate_size=14336, num_key_value_heads=8, max_position_embeddings=131072)
_GPT2_NAMES = {"layers": "n_layer", "hidden": "n_embd", "heads": "n_head", "ffn": "n_inner", "positions": "n_positions"}
_BIASED: dict[str, Any] = {"qkv_bias": True, "output_bias": True, "ffn_bias": True}
_GEMMA2 = _llama(
    vocab_size=256000, hidden_size=2304, intermediate_size=9216, num_hidden_layers=26, num_attention_heads=8,
    num_key_value_heads=4, head_dim=256, max_position_embeddings=8192, tie_word_embeddings=True,
)  # fmt: skip
_OLMO = _llama(vocab_size=50304)
_QWEN = _llama(vocab_size=151936, intermediate_size=22016, num_key_value_heads=32, max_position_embeddings=32768)

#: `model_type` -> how its parameters are counted
ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": Architecture(
        defaults=_llama(), qkv_bias="attention_bias", output_bias="attention_bias", ffn_bias="mlp_bias",
    ),
    "granite": Architecture(
        defaults=_llama(), qkv_bias="attention_bias", output_bias="attention_bias", ffn_bias="mlp_bias",
    ),
    "smollm3": Architecture(
        defaults=_llama(
            vocab_size=128256, hidden_size=2048, num_hidden_layers=36, num_attention_heads=16, num_key_value_heads=4,
            max_position_embeddings=32768, tie_word_embeddings=True,
        ),
        qkv_bias="attention_bias", output_bias="attention_bias", ffn_bias="mlp_bias",
    ),
    "arcee": Architecture(
        defaults=_llama(hidden_size=2560, intermediate_size=18432, max_position_embeddings=4096),
        qkv_bias="attention_bias", output_bias="attention_bias", ffn_bias="mlp_bias", gated=False,
    ),
    "seed_oss": Architecture(
        defaults=_llama(
            vocab_size=155136, intermediate_size=27648, num_hidden_layers=64, num_attention_heads=80,
            num_key_value_heads=8, head_dim=128, max_position_embeddings=524288, attention_bias=True,
        ) | {"attention_out_bias": False},
        qkv_bias="attention_bias", output_bias="attention_out_bias", ffn_bias="mlp_bias",
    ),
    "mistral": Architecture(defaults=_MISTRAL),
    "mixtral": Architecture(
        defaults=_MISTRAL | {"num_local_experts": 8, "num_experts_per_tok": 2},
        experts=("num_local_experts", "num_experts_per_tok", "intermediate_size"),
    ),
    "qwen2": Architecture(defaults=_QWEN, qkv_bias=True),
    "qwen3": Architecture(
        defaults=_QWEN | {"head_dim": 128},
        qkv_bias="attention_bias", output_bias="attention_bias", query_key_norm="head",
    ),
    "qwen2_moe": Architecture(
        defaults=_llama(
            vocab_size=151936, hidden_size=2048, num_hidden_layers=24, num_attention_heads=16, num_key_value_heads=16,
            max_position_embeddings=32768,
        ) | {
            "num_experts": 60, "num_experts_per_tok": 4, "moe_intermediate_size": 1408,
            "shared_expert_intermediate_size": 5632, "qkv_bias": True, "decoder_sparse_step": 1,
            "intermediate_size": 5632,
        },
        qkv_bias="qkv_bias", shared_expert="shared_expert_intermediate_size",
        experts=("num_experts", "num_experts_per_tok", "moe_intermediate_size"),
        only={"decoder_sparse_step": 1, "mlp_only_layers": None},
    ),
    "qwen3_moe": Architecture(
        defaults=_llama(
            vocab_size=151936, hidden_size=2048, intermediate_size=6144, num_hidden_layers=24, num_key_value_heads=4,
            max_position_embeddings=32768,
        ) | {
            "num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768, "decoder_sparse_step": 1,
        },
        qkv_bias="attention_bias", output_bias="attention_bias", query_key_norm="head",
        experts=("num_experts", "num_experts_per_tok", "moe_intermediate_size"),
        only={"decoder_sparse_step": 1, "mlp_only_layers": None},
    ),
    "gemma": Architecture(
        defaults=_llama(
            vocab_size=256000, hidden_size=3072, intermediate_size=24576, num_hidden_layers=28,
            num_attention_heads=16, num_key_value_heads=16, head_dim=256, max_position_embeddings=8192,
            tie_word_embeddings=True,
        ),
        qkv_bias="attention_bias", output_bias="attention_bias",
    ),
    "gemma2": Architecture(defaults=_GEMMA2, qkv_bias="attention_bias", output_bias="attention_bias", norms=4),
    "gemma3_text": Architecture(
        defaults=_GEMMA2 | {"vocab_size": 262208, "max_position_embeddings": 131072},
        qkv_bias="attention_bias", output_bias="attention_bias", norms=4, query_key_norm="head",
    ),
    "phi": Architecture(
        defaults=_llama(
            vocab_size=51200, hidden_size=2048, intermediate_size=8192, num_hidden_layers=24,
        ) | {"qk_layernorm": False},
        **_BIASED, gated=False, norm=2, norms=1, head_bias=True, parallel=True, only={"qk_layernorm": False},
    ),
    "phi3": Architecture(
        defaults=_llama(vocab_size=32064, hidden_size=3072, intermediate_size=8192, max_position_embeddings=4096)
    ),
    "phimoe": Architecture(
        defaults=_llama(
            vocab_size=32064, intermediate_size=6400, num_key_value_heads=8, max_position_embeddings=131072,
        ) | {"num_local_experts": 16, "num_experts_per_tok": 2, "lm_head_bias": False},
        qkv_bias="attention_bias", output_bias="attention_bias", norm=2, head_bias="lm_head_bias",
        experts=("num_local_experts", "num_experts_per_tok", "intermediate_size"),
    ),
    "gpt_neox": Architecture(
        defaults=_llama(
            vocab_size=50432, hidden_size=6144, intermediate_size=24576, num_hidden_layers=44,
            num_attention_heads=64, attention_bias=True,
        ) | {"use_parallel_residual": True},
        qkv_bias="attention_bias", output_bias="attention_bias", ffn_bias=True, gated=False, norm=2,
        parallel="use_parallel_residual",
    ),
    "gpt2": Architecture(
        defaults={
            "vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12, "n_inner": None,
            "tie_word_embeddings": True,
        },
        names=_GPT2_NAMES, **_BIASED, gated=False, norm=2, positions=0, only={"add_cross_attention": False},
    ),
    "gpt_neo": Architecture(
        defaults={
            "vocab_size": 50257, "max_position_embeddings": 2048, "hidden_size": 2048, "num_layers": 24,
            "num_heads": 16, "intermediate_size": None, "tie_word_embeddings": True,
        },
        names={"layers": "num_layers", "heads": "num_heads"},
        output_bias=True, ffn_bias=True, gated=False, norm=2, positions=0,
    ),
    "codegen": Architecture(
        defaults={
            "vocab_size": 50400, "n_positions": 2048, "n_embd": 4096, "n_layer": 28, "n_head": 16, "n_inner": None,
            "tie_word_embeddings": False,
        },
        names=_GPT2_NAMES, ffn_bias=True, gated=False, norm=2, norms=1, head_bias=True, parallel=True,
    ),
    "olmo": Architecture(defaults=_OLMO, qkv_bias="attention_bias", output_bias="attention_bias", norm=0),
    "olmo2": Architecture(
        defaults=_OLMO, qkv_bias="attention_bias", output_bias="attention_bias", query_key_norm="all"
    ),
    "olmo3": Architecture(
        defaults=_OLMO, qkv_bias="attention_bias", output_bias="attention_bias", query_key_norm="all"
    ),
    "olmoe": Architecture(
        defaults=_OLMO | {
            "hidden_size": 2048, "intermediate_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 16,
            "max_position_embeddings": 4096, "num_experts": 64, "num_experts_per_tok": 8,
        },
        qkv_bias="attention_bias", output_bias="attention_bias", query_key_norm="all",
        experts=("num_experts", "num_experts_per_tok", "intermediate_size"),
    ),
    "granitemoe": Architecture(
        defaults=_llama() | {"num_local_experts": 8, "num_experts_per_tok": 2},
        qkv_bias="attention_bias", output_bias="attention_bias",
        experts=("num_local_experts", "num_experts_per_tok", "intermediate_size"),
    ),
    "gpt_oss": Architecture(
        defaults=_llama(
            vocab_size=201088, hidden_size=2880, intermediate_size=2880, num_hidden_layers=36,
            num_attention_heads=64, num_key_value_heads=8, head_dim=64, max_position_embeddings=131072,
            attention_bias=True,
        ) | {"num_local_experts": 128, "num_experts_per_tok": 4},
        qkv_bias="attention_bias", output_bias="attention_bias", per_head=1, expert_bias=True,
        experts=("num_local_experts", "num_experts_per_tok", "intermediate_size"),
    ),
    "starcoder2": Architecture(
        defaults=_llama(
            vocab_size=49152, hidden_size=3072, intermediate_size=12288, num_hidden_layers=30,
            num_attention_heads=24, num_key_value_heads=2, max_position_embeddings=4096, tie_word_embeddings=True,
        ) | {"use_bias": True},
        qkv_bias="use_bias", output_bias="use_bias", ffn_bias="use_bias", gated=False, norm=2,
    ),
    "stablelm": Architecture(
        defaults=_llama(
            vocab_size=50304, hidden_size=2560, intermediate_size=6912, num_key_value_heads=32,
            max_position_embeddings=4096,
        ) | {"use_qkv_bias": False, "qk_layernorm": False, "use_parallel_residual": False},
        qkv_bias="use_qkv_bias", norm=2, only={"qk_layernorm": False, "use_parallel_residual": False},
    ),
    "cohere": Architecture(
        defaults=_llama(
            vocab_size=256000, hidden_size=8192, intermediate_size=22528, num_hidden_layers=40,
            num_attention_heads=64, max_position_embeddings=8192, tie_word_embeddings=True,
        ) | {"use_qk_norm": False},
        qkv_bias="attention_bias", output_bias="attention_bias", norms=1, parallel=True, only={"use_qk_norm": False},
    ),
    "cohere2": Architecture(
        defaults=_llama(
            vocab_size=256000, hidden_size=8192, intermediate_size=22528, num_hidden_layers=40,
            num_attention_heads=64, max_position_embeddings=8192, tie_word_embeddings=True,
        ),
        qkv_bias="attention_bias", output_bias="attention_bias", norms=1, parallel=True,
    ),
    "nemotron": Architecture(
        defaults=_llama(
            vocab_size=256000, hidden_size=6144, intermediate_size=24576, num_attention_heads=48,
            max_position_embeddings=4096,
        ),
        qkv_bias="attention_bias", output_bias="attention_bias", ffn_bias="mlp_bias", gated=False, norm=2,
    ),
    "glm": Architecture(
        defaults=_llama(
            vocab_size=151552, intermediate_size=13696, num_hidden_layers=40, num_key_value_heads=2, head_dim=128,
            max_position_embeddings=131072, attention_bias=True,
        ),
        qkv_bias="attention_bias",
    ),
    "glm4": Architecture(
        defaults=_llama(
            vocab_size=151552, intermediate_size=13696, num_hidden_layers=40, num_key_value_heads=2, head_dim=128,
            max_position_embeddings=131072, attention_bias=True,
        ),
        qkv_bias="attention_bias", norms=4,
    ),
    "exaone4": Architecture(
        defaults=_llama(vocab_size=102400, intermediate_size=16384, num_key_value_heads=32), query_key_norm="head"
    ),
    "persimmon": Architecture(
        defaults=_llama(
            vocab_size=262144, intermediate_size=16384, num_hidden_layers=36, num_attention_heads=64,
            max_position_embeddings=16384,
        ) | {"qk_layernorm": True},
        **_BIASED, gated=False, norm=2, query_key_norm="head", only={"qk_layernorm": True},
    ),
    "biogpt": Architecture(
        defaults=_llama(
            vocab_size=42384, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096,
            max_position_embeddings=1024, tie_word_embeddings=True,
        ),
        **_BIASED, gated=False, norm=2, positions=2,
    ),
    "xglm": Architecture(
        defaults={
            "vocab_size": 256008, "max_position_embeddings": 2048, "d_model": 1024, "ffn_dim": 4096, "num_layers": 24,
            "attention_heads": 16, "tie_word_embeddings": True,
        },
        names={"layers": "num_layers", "hidden": "d_model", "heads": "attention_heads", "ffn": "ffn_dim"},
        **_BIASED, gated=False, norm=2,
    ),
}  # fmt: skip
