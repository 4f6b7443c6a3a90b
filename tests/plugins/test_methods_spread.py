"""Every method trains alike on every backend, under Trainer and in a plain loop, and its checkpoint loads."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from drive_backend import EOS, FAMILIES, make_rows, small_tokenizer, tiny
from driving import ALPACA, LOOP, Record, column, drive

pytestmark = pytest.mark.slow

METHODS: dict[str, Record] = {
    "lora": {"name": "lora", "rank": 4, "alpha": 16},
    "adapter": {"name": "adapter", "size": 8},
    "frozen": {"name": "frozen", "blocks": 1},
}
BACKENDS: dict[str, Record] = {
    "ddp": {"name": "ddp"},
    "fsdp": {"name": "fsdp"},
    **{f"zero-{stage}": {"name": "deepspeed", "stage": stage} for stage in (1, 2, 3)},
}
TRAIN = {"max_steps": 4, "learning_rate": 1e-2, "save": {"final": True, "every": None, "keep": None}}
BF16 = TRAIN | {"precision": "bf16", "activation_checkpointing": True}
#: a training: recipe, backend, family, method, precision, weights
Key = tuple[str, ...]


_WITH_EACH_FAMILY = [("ddp", ALPACA), ("fsdp", ALPACA)]


def keys() -> list[Key]:
    """Every backend with OPT, every family with fsdp; bf16 and random weights where backends treat them differently.

    `tests/campaigns/methods.py` trains the rest.
    """
    every = tuple(METHODS)
    chosen: list[tuple[tuple[str, ...], Key]] = [
        (every, ("ddp", ALPACA, "opt", "fp32", "pretrained")),
        (every, ("fsdp", LOOP, "opt", "fp32", "pretrained")),
        (every, ("zero-3", ALPACA, "opt", "fp32", "pretrained")),
        (("lora",), ("zero-1", ALPACA, "opt", "fp32", "pretrained")),
        (("adapter",), ("zero-2", LOOP, "opt", "fp32", "pretrained")),
        (("lora", "adapter"), ("zero-3", LOOP, "opt", "bf16", "pretrained")),
        (("lora",), ("fsdp", ALPACA, "opt", "bf16", "pretrained")),
        (("lora",), ("zero-3", ALPACA, "opt", "fp32", "random")),
        (("adapter",), ("fsdp", LOOP, "opt", "fp32", "random")),
    ]
    for family in FAMILIES[1:]:
        chosen += [(every, (backend, recipe, family, "fp32", "pretrained")) for backend, recipe in _WITH_EACH_FAMILY]
    return [
        (recipe, backend, family, method, precision, weights)
        for methods, (backend, recipe, family, precision, weights) in chosen
        for method in methods
    ]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {family: tmp_path_factory.mktemp(family) for family in FAMILIES}
    for family, folder in folders.items():
        tiny(family).save_pretrained(folder)
        small_tokenizer().save_pretrained(folder)
    return folders


class Trained:
    """What both ranks recorded of each training, and where it saved."""

    def __init__(self, checkpoints: dict[str, Path], folder: Path):
        self._folder = folder
        self.records: dict[Key, tuple[Record, Record]] = {}
        # ZeRO-3 changes torch's linear layers for good.
        for group in (("ddp", "fsdp"), ("zero-1", "zero-2"), ("zero-3",)):
            mine = [key for key in keys() if key[1] in group]
            ranks = drive([self._training(checkpoints, key) for key in mine], folder / group[0])
            self.records |= dict(zip(mine, zip(*ranks, strict=True), strict=True))

    def folder(self, key: Key) -> Path:
        return self._folder / "trainings" / "-".join(key)

    def _training(self, checkpoints: dict[str, Path], key: Key) -> Record:
        recipe, backend, family, method, precision, weights = key
        return {
            "recipe": recipe,
            "backend": BACKENDS[backend],
            "model": str(checkpoints[family]),
            "weights": weights,
            "rows": make_rows(40),
            "train": BF16 if precision == "bf16" else TRAIN,
            "method": METHODS[method],
            "folder": str(self.folder(key)),
        }


@pytest.fixture(scope="module")
def trained(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(checkpoints, tmp_path_factory.mktemp("trained"))


def test_losses_are_equal_on_every_backend_and_in_both_recipes(trained: Trained) -> None:
    for key, ranks in trained.records.items():
        _, _, family, method, precision, weights = key
        if weights == "random":
            continue
        expected, _ = trained.records[ALPACA, "ddp", family, method, "fp32", "pretrained"]
        near = 5e-6 if precision == "fp32" else 1e-2
        for record in ranks:
            assert column(record, "loss") == pytest.approx(column(expected, "loss"), rel=near), key
            assert column(record, "grad_norm") == pytest.approx(column(expected, "grad_norm"), rel=20 * near), key


def test_what_is_saved_loads_as_its_users_load_it_and_is_what_was_trained(
    trained: Trained, checkpoints: dict[str, Path]
) -> None:
    import torch
    from transformers import AutoTokenizer

    ids = torch.tensor([[3, 4, 5, EOS]])
    logits: dict[tuple[str, str], Any] = {}
    for key in trained.records:
        _, _, family, method, precision, weights = key
        folder = trained.folder(key) / "final"
        network = loaded(method, folder)
        assert len(AutoTokenizer.from_pretrained(folder)) == len(small_tokenizer())
        assert (folder / "base").is_dir() is (weights == "random" and method != "frozen"), key
        with torch.no_grad():
            found = network(input_ids=ids).logits.float()
        if weights == "random":
            continue
        if precision == "fp32":
            same = logits.setdefault((family, method), found)
            assert torch.allclose(found, same, atol=2e-4), key
        assert (found - tiny(family).eval()(input_ids=ids).logits).abs().max() > 1e-3, key


def loaded(method: str, folder: Path) -> Any:
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    from benchspec_plugins.methods import adapter

    if method == "adapter":
        return adapter.load(str(folder))
    auto = AutoPeftModelForCausalLM if method == "lora" else AutoModelForCausalLM
    return auto.from_pretrained(folder).eval()


def test_backends_hold_their_share_of_what_is_trained(trained: Trained) -> None:
    for (_, backend, *_), (record, _) in trained.records.items():
        proof = record["proof"]
        assert proof["sharding"] == {"ddp": "none", "fsdp": "fsdp2"}.get(backend, backend)
        assert proof["world"] == 2
