"""Families of networks, as the recipe `packed` computes them: their own modules, over tokens of shape (tokens, width).

A family says how tokens are embedded, how a block makes queries, keys and values of shape (tokens, heads, width), what
it does after attention, and what follows the last block. docs/packed.md shows how to add one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Protocol

import torch
from torch.nn.functional import dropout, pad

from benchspec import PluginError
from benchspec_plugins.recipes.packing import Pack

Heads = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
#: fields of a configuration -> the only values that are computed right
Required = Mapping[str, tuple[Any, ...]]
#: columns that ALiBi adds to a head: kernels want multiples of 8; and the longest row whose positions are exact in them
ALIBI, ALIBI_TOKENS = 8, 4096


class Family(Protocol):
    """A family of networks; none of it has a state."""

    #: fields of the configuration, and the only values of them that are computed right
    required: ClassVar[Required]
    #: columns of a head that are there to be added up in its products only
    extra: ClassVar[int]

    @staticmethod
    def blocks(network: Any) -> Any:
        """The blocks in their order."""

    @staticmethod
    def embed(network: Any, pack: Pack) -> torch.Tensor:
        """What enters the first block."""

    @staticmethod
    def heads(network: Any, block: Any, x: torch.Tensor, pack: Pack) -> Heads:
        """Queries, keys and values; there may be fewer heads of the latter two."""

    @staticmethod
    def rest(block: Any, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """What leaves a block: `x` entered it, `attended` is what its heads saw."""

    @staticmethod
    def end(network: Any, x: torch.Tensor) -> torch.Tensor:
        """What enters the head."""


class Opt:
    """OPT: learned positions, norms before each part, or in OPT-350M after it."""

    required: ClassVar[Required] = {"attention_dropout": (0, None), "layerdrop": (0, None)}
    extra: ClassVar[int] = 0

    @staticmethod
    def blocks(network: Any) -> Any:
        return network.model.decoder.layers

    @staticmethod
    def embed(network: Any, pack: Pack) -> torch.Tensor:
        decoder = network.model.decoder
        x = decoder.embed_tokens(pack.ids)
        x = x if decoder.project_in is None else decoder.project_in(x)
        return x + decoder.embed_positions(None, position_ids=pack.positions)  # type: ignore[no-any-return]

    @staticmethod
    def heads(network: Any, block: Any, x: torch.Tensor, pack: Pack) -> Heads:
        attention = block.self_attn
        x = block.self_attn_layer_norm(x) if block.do_layer_norm_before else x
        return _split(attention, x, attention.head_dim)

    @staticmethod
    def rest(block: Any, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        before, drop = block.do_layer_norm_before, partial(dropout, p=block.dropout, training=block.training)
        x = x + drop(block.self_attn.out_proj(attended))
        x = x if before else block.self_attn_layer_norm(x)
        y = block.final_layer_norm(x) if before else x
        x = x + drop(block.fc2(block.activation_fn(block.fc1(y))))
        return x if before else block.final_layer_norm(x)

    @staticmethod
    def end(network: Any, x: torch.Tensor) -> torch.Tensor:
        decoder = network.model.decoder
        x = x if decoder.final_layer_norm is None else decoder.final_layer_norm(x)
        return x if decoder.project_out is None else decoder.project_out(x)


class GptJ:
    """GPT-J: rotary positions, attention and feed-forward network side by side."""

    required: ClassVar[Required] = {"attn_pdrop": (0, None)}
    extra: ClassVar[int] = 0

    @staticmethod
    def blocks(network: Any) -> Any:
        return network.transformer.h

    @staticmethod
    def embed(network: Any, pack: Pack) -> torch.Tensor:
        return network.transformer.drop(network.transformer.wte(pack.ids))  # type: ignore[no-any-return]

    @staticmethod
    def heads(network: Any, block: Any, x: torch.Tensor, pack: Pack) -> Heads:
        attention = block.attn
        q, k, v = _split(attention, block.ln_1(x), attention.head_dim)
        table = attention.embed_positions[pack.positions].to(q.dtype)
        sine, cosine = (half.repeat_interleave(2, 1)[:, None] for half in table.chunk(2, 1))
        return _turn_neighbours(q, sine, cosine), _turn_neighbours(k, sine, cosine), v

    @staticmethod
    def rest(block: Any, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        attention = block.attn.resid_dropout(block.attn.out_proj(attended))
        return x + attention + block.mlp(block.ln_1(x))  # type: ignore[no-any-return]

    @staticmethod
    def end(network: Any, x: torch.Tensor) -> torch.Tensor:
        return network.transformer.ln_f(x)  # type: ignore[no-any-return]


class Bloom:
    """BLOOM: ALiBi in place of positions, normed word embeddings."""

    required: ClassVar[Required] = {
        "attention_dropout": (0, None),
        "slow_but_exact": (False, None),
    }
    extra: ClassVar[int] = ALIBI

    @staticmethod
    def blocks(network: Any) -> Any:
        return network.transformer.h

    @staticmethod
    def embed(network: Any, pack: Pack) -> torch.Tensor:
        trunk = network.transformer
        return trunk.word_embeddings_layernorm(trunk.word_embeddings(pack.ids))  # type: ignore[no-any-return]

    @staticmethod
    def heads(network: Any, block: Any, x: torch.Tensor, pack: Pack) -> Heads:
        fused = block.self_attention.query_key_value(block.input_layernorm(x))
        if fused.dtype == torch.bfloat16 and pack.longest_keys > ALIBI_TOKENS:
            raise PluginError(
                f"the recipe 'packed' computes ALiBi in bfloat16 for rows of at most {ALIBI_TOKENS} tokens; lower "
                "train.max_length, or choose another recipe"
            )
        q, k, v = fused.view(len(x), block.num_heads, 3, -1).unbind(2)
        return with_alibi(q, k, v, pack.positions)

    @staticmethod
    def rest(block: Any, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        after, drop = block.apply_residual_connection_post_layernorm, partial(dropout, p=block.hidden_dropout)
        x = block.input_layernorm(x) if after else x
        x = x + drop(block.self_attention.dense(attended), training=block.training)
        y = block.post_attention_layernorm(x)
        return block.mlp(y, y if after else x)  # type: ignore[no-any-return]

    @staticmethod
    def end(network: Any, x: torch.Tensor) -> torch.Tensor:
        return network.transformer.ln_f(x)  # type: ignore[no-any-return]


class Llama:
    """Llama and its like: rotary positions, gated feed-forward network, perhaps fewer heads of keys and values."""

    required: ClassVar[Required] = {
        "attention_dropout": (0, None),
        "sliding_window": (None,),
        "use_sliding_window": (False, None),
    }
    extra: ClassVar[int] = 0

    @staticmethod
    def blocks(network: Any) -> Any:
        return network.model.layers

    @staticmethod
    def embed(network: Any, pack: Pack) -> torch.Tensor:
        return network.model.embed_tokens(pack.ids)  # type: ignore[no-any-return]

    @staticmethod
    def heads(network: Any, block: Any, x: torch.Tensor, pack: Pack) -> Heads:
        attention = block.self_attn
        q, k, v = _split(attention, block.input_layernorm(x), attention.head_dim)
        # Qwen 3 has norms of its own for them.
        q, k = (getattr(attention, name, _as_it_is)(each) for name, each in (("q_norm", q), ("k_norm", k)))
        cosine, sine = (half[0][:, None] for half in network.model.rotary_emb(x, pack.positions[None]))
        return _turn_halves(q, sine, cosine), _turn_halves(k, sine, cosine), v

    @staticmethod
    def rest(block: Any, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        x = x + block.self_attn.o_proj(attended)
        return x + block.mlp(block.post_attention_layernorm(x))  # type: ignore[no-any-return]

    @staticmethod
    def end(network: Any, x: torch.Tensor) -> torch.Tensor:
        return network.model.norm(x)  # type: ignore[no-any-return]


#: `transformers`' class -> how it is computed
FAMILIES: Mapping[str, type[Family]] = {
    "OPTForCausalLM": Opt,
    "GPTJForCausalLM": GptJ,
    "BloomForCausalLM": Bloom,
    "LlamaForCausalLM": Llama,
    "MistralForCausalLM": Llama,
    "Qwen3ForCausalLM": Llama,
}


def _split(attention: Any, x: torch.Tensor, width: int) -> Heads:
    q, k, v = (layer(x).view(len(x), -1, width) for layer in (attention.q_proj, attention.k_proj, attention.v_proj))
    return q, k, v


def _as_it_is(x: torch.Tensor) -> torch.Tensor:
    return x


def _turn_neighbours(x: torch.Tensor, sine: torch.Tensor, cosine: torch.Tensor) -> torch.Tensor:
    """Pairs of neighbouring dimensions turned by the angle of their position; dimensions beyond the table stay."""
    part, rest = x[..., : sine.shape[-1]], x[..., sine.shape[-1] :]
    across = torch.stack((-part[..., 1::2], part[..., ::2]), -1).flatten(-2)
    return torch.cat((part * cosine + across * sine, rest), -1)


def _turn_halves(x: torch.Tensor, sine: torch.Tensor, cosine: torch.Tensor) -> torch.Tensor:
    """Dimensions of the first half and of the second turned in pairs."""
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat((-second, first), -1) * sine


def with_alibi(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, positions: torch.Tensor) -> Heads:
    """ALiBi (Press et al. 2022) as further columns of each head, so that any kernel computes it.

    What it adds to a query's product with a key is the head's slope times the key's position: a product of a column of
    the query's and one of the key's. bfloat16 holds neither exactly, so both are split into parts that it does; kernels
    add the products up in float32.
    """
    heads, width = q.shape[1:]
    slopes = alibi_slopes(heads, q.device) * math.sqrt(width)
    if q.dtype == torch.bfloat16:
        low = positions % 16
        of_queries = _in_parts(slopes).repeat_interleave(2, 1)
        of_keys = torch.stack((positions - low, low), 1).repeat(1, 3)
    else:
        of_queries, of_keys = slopes[:, None], positions[:, None]
    room = (0, ALIBI - of_queries.shape[1])
    more_q = pad(of_queries.to(q.dtype), room)[None].expand(len(q), -1, -1)
    more_k = pad(of_keys.to(q.dtype), room)[:, None].expand(-1, heads, -1)
    return torch.cat((q, more_q), -1), torch.cat((k, more_k), -1), pad(v, (0, ALIBI))


def alibi_slopes(heads: int, device: Any) -> torch.Tensor:
    """The slope of each head: powers of two, and between them where the number of heads is no power of two."""
    whole = 2 ** math.floor(math.log2(heads))
    first = [2 ** (-8 * number / whole) for number in range(1, whole + 1)]
    between = [2 ** (-4 * number / whole) for number in range(1, 2 * (heads - whole) + 1, 2)]
    return torch.tensor(first + between, device=device, dtype=torch.float64)


def _in_parts(x: torch.Tensor) -> torch.Tensor:
    """Three numbers of bfloat16 that add up to each of x."""
    parts = []
    for _ in range(3):
        parts.append(x.bfloat16())
        x = x - parts[-1].double()
    return torch.stack(parts, 1)
