"""What is spared of a batch: the templates' first words, and prompts alone, told from their tokens with an answer."""

import random
from typing import Any

import pytest

np = pytest.importorskip("numpy")
tokenizers = pytest.importorskip("tokenizers")

from token_data import alpaca_rows, opt_tokenizer

from benchspec.worker.data.encode import ByteLevelEncoder, FastEncoder, encoder_for
from benchspec.worker.data.prefixes import _BLOOM, Prefixes, is_byte_level_bpe
from benchspec_plugins.recipes.alpaca import Alpaca

EOS = "</s>"
#: what texts of the fuzz are made of: what merges, what splits, and what is not a character of its own
PIECES = [
    *"abcAI10'\"`.,:;!?()[]{}-_/\\|<>@#%&*+=~^$\n\t\r ",
    *("'s", "'re", " the", " and", "ing", "tion", "\n\n", "  ", "...", '"."', ':"', "://", "</s>", "<pad>", "12345"),
    *("é", "ß", "—", "“", "”", "…", "日本", "😀", "👩‍👩‍👧", "\u0301", "\u200b", "\u00a0", "\ufeff", "।"),
]
ENDS = ["### Response:", ":", "?", '"', "'", ")", " ", "\n", "a", "7", "é", "…", "", "it'", "<", "</s>"]


def text_of(draw: random.Random, most: int) -> str:
    return "".join(draw.choices(PIECES, k=draw.randrange(most)))


def trained(pieces: Any, **model: Any) -> Any:
    """A byte-level tokenizer with merges of its own, which knows pieces of the fuzz."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    backend = Tokenizer(models.BPE(**model))
    backend.pre_tokenizer = pieces
    backend.decoder = decoders.ByteLevel()
    draw = random.Random(4)
    texts = [text_of(draw, 60) for _ in range(800)] + list(Alpaca.templates.values())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = [EOS, AddedToken("<pad>", lstrip=True)]
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, special_tokens=special)
    backend.train_from_iterator(texts, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{EOS} $A", special_tokens=[(EOS, backend.token_to_id(EOS))]
    )
    return backend


def gpt2(**options: Any) -> Any:
    from tokenizers import pre_tokenizers

    return pre_tokenizers.ByteLevel(**{"add_prefix_space": False, **options})


def bloom() -> Any:
    from tokenizers import Regex, pre_tokenizers

    split = pre_tokenizers.Split(Regex(_BLOOM), "isolated", invert=False)
    return pre_tokenizers.Sequence([split, gpt2(use_regex=False)])


def told(backend: Any, pairs: list[tuple[str, str]]) -> tuple[Any, Any]:
    """What is told of the prompts of (prompt, answer), and how many tokens they have alone."""
    assert is_byte_level_bpe(backend)
    found = Prefixes(backend)
    texts = [f"{prompt}{answer}{EOS}" for prompt, answer in pairs]
    ids = [one.ids for one in backend.encode_batch(texts)]
    prompts = [prompt for prompt, _ in pairs]
    sizes = np.array([len(each) for each in ids])
    return found.lengths(prompts, texts, np.concatenate(ids).astype(np.int32), sizes), np.array(
        [len(one.ids) for one in backend.encode_batch(prompts)]
    )


def check(backend: Any, pairs: list[tuple[str, str]], least: float) -> None:
    """Whatever is told is right, and it is told of at least this share."""
    found, alone = told(backend, pairs)
    known = found >= 0
    wrong = [pairs[place] for place in np.flatnonzero(known & (found != alone))]
    assert not wrong, wrong[:3]
    assert known.mean() >= least


def fuzz(seed: int, count: int) -> list[tuple[str, str]]:
    draw = random.Random(seed)
    return [(text_of(draw, 20) + draw.choice(ENDS), text_of(draw, 12)) for _ in range(count)]


@pytest.mark.parametrize("pieces", [gpt2, bloom], ids=["gpt2", "bloom"])
@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_what_is_told_of_any_text_is_right(pieces: Any, count: int) -> None:
    check(trained(pieces()), fuzz(count, count), least=0.2)


def test_opts_real_tokenizer_tells_nearly_all_of_real_rows() -> None:
    rows = alpaca_rows()
    templates = [Alpaca.templates["with_input" if row.input else "without_input"] for row in rows]
    prompts = [template.format(**row._asdict()) for template, row in zip(templates, rows, strict=True)]
    check(opt_tokenizer().backend_tokenizer, list(zip(prompts, [row.output for row in rows], strict=True)), least=0.9)


def test_opts_real_tokenizer_is_right_about_any_text() -> None:
    check(opt_tokenizer().backend_tokenizer, fuzz(9, 3_000), least=0.2)


@pytest.mark.parametrize(
    ("pieces", "change"),
    [
        (gpt2, lambda backend: setattr(backend, "normalizer", tokenizers.normalizers.NFC())),
        (lambda: tokenizers.pre_tokenizers.Whitespace(), lambda backend: None),
        (lambda: gpt2(use_regex=False), lambda backend: None),
        (lambda: gpt2(add_prefix_space=True), lambda backend: None),
    ],
    ids=["normalizes", "not byte-level", "other pieces", "with a space before"],
)
def test_nothing_is_told_of_other_tokenizers(pieces: Any, change: Any) -> None:
    backend = trained(pieces())
    change(backend)
    assert not is_byte_level_bpe(backend)


def test_bytes_without_a_token_make_a_tokenizer_unknown() -> None:
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = gpt2()
    backend.train_from_iterator(["0123456789"], tokenizers.trainers.BpeTrainer(special_tokens=[EOS]))
    assert not is_byte_level_bpe(backend)
    assert type(encoder_for(wrapper(backend, "right"))) is FastEncoder


def test_a_token_that_must_be_a_word_of_its_own_makes_a_tokenizer_unknown() -> None:
    """Whether it is one depends on what follows the prompt."""
    backend = trained(gpt2())
    backend.add_special_tokens([tokenizers.AddedToken("<sep>", single_word=True)])
    assert not is_byte_level_bpe(backend)


def test_merges_that_words_skip_are_not_told() -> None:
    assert not is_byte_level_bpe(trained(gpt2(), ignore_merges=True))


@pytest.mark.parametrize("content", ["user: ", "<user:", "a#\nb"])
def test_a_special_token_that_takes_the_end_of_first_words_makes_a_tokenizer_unknown(content: str) -> None:
    backend = trained(gpt2())
    backend.add_special_tokens([tokenizers.AddedToken(content, rstrip=True)])
    assert not is_byte_level_bpe(backend)


HEADS = [
    *(template.partition("{")[0] for template in Alpaca.templates.values()),
    "Q: a\nA:",
    "#\t",
    ": ;\n",
    "x:\x1c",
    "a",
    "",
]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("pieces", [gpt2, bloom], ids=["gpt2", "bloom"])
@pytest.mark.parametrize(
    ("count", "lengths"), [(2_000, [1, 7, 60, 10_000]), pytest.param(50_000, [60], marks=pytest.mark.slow)]
)
def test_texts_whose_first_words_are_spared_are_the_same_tokens(
    pieces: Any, side: str, count: int, lengths: list[int]
) -> None:
    wrapped = wrapper(trained(pieces()), side)
    spared, whole = encoder_for(wrapped), FastEncoder(wrapped)
    assert isinstance(spared, ByteLevelEncoder)
    pairs, draw = fuzz(count + 1, count), random.Random(count)
    heads = draw.choices(HEADS, k=count)
    prompts = [f"{head}{prompt}" for head, (prompt, _) in zip(heads, pairs, strict=True)]
    texts = [f"{prompt}{answer}" for prompt, (_, answer) in zip(prompts, pairs, strict=True)]
    for most in lengths:
        with spared.truncating(most):
            found = spared.encode(texts, prompts, heads)
        with whole.truncating(most):
            expected = whole.encode(texts, prompts, heads)
        for name, array in expected._asdict().items():
            assert np.array_equal(getattr(found, name), array), (name, most)


def wrapper(backend: Any, side: str) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=EOS, truncation_side=side)


def test_no_text_is_no_tokens() -> None:
    found, alone = told(trained(gpt2()), [("", ""), ("a:", "")])
    assert found.tolist() == [-1, alone[1]]
