"""Every backend trains every family, under Trainer and in a plain loop, from one checkpoint, to the same losses."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import EOS, FAMILIES, backend_class, create, make_rows, small_tokenizer, tiny
from driving import ALPACA, LOOP, Record, column, distance, drive

from benchspec import PluginError

DDP, FSDP = {"name": "ddp"}, {"name": "fsdp"}
WHOLE = FSDP | {"sync_each_batch": False}
ZERO = [{"name": "deepspeed", "stage": stage} for stage in (1, 2, 3)]
CPU = {"device": "cpu"}
#: 77 rows leave the last accumulation of an epoch short: 20 optimizer steps in two epochs
LONG: Record = {"weights": "pretrained", "rows": make_rows(77)}
KINDS: dict[str, Record] = {
    "fp32": LONG | {"train": {"epochs": 2, "weight_decay": 0.1, "save": {"final": True, "every": None, "keep": None}}},
    "bf16": LONG
    | {
        "train": {
            "epochs": 2,
            "weight_decay": 0.1,
            "precision": "bf16",
            "activation_checkpointing": True,
            "save": {"final": True, "every": 8, "keep": 1},
        },
    },
    "random": {"weights": "random", "rows": make_rows(40), "train": {"max_steps": 3}},
}

#: a training: recipe, place among the backends, family, kind
Key = tuple[str, int, str, str]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder a family, as `save_pretrained` makes it."""
    folders = {family: tmp_path_factory.mktemp(family) for family in FAMILIES}
    for family, folder in folders.items():
        tiny(family).save_pretrained(folder)
        small_tokenizer().save_pretrained(folder)
    return folders


class Runs:
    """Trainings under some backends, all of them in one process group, made when first asked for."""

    def __init__(self, checkpoints: dict[str, Path], folder: Path):
        self._checkpoints = checkpoints
        self._folder = folder
        self._done: dict[str, dict[Key, tuple[Record, Record]]] = {}

    def of(self, *backends: Record) -> dict[Key, tuple[Record, Record]]:
        """What both ranks recorded: OPT with each recipe, the other families with fewer."""
        name = backends[0]["name"]
        if name not in self._done:
            keys = [
                (recipe, place, family, kind)
                # ZeRO-3 changes torch's linear layers for good, so that each backend's trainings come together.
                for place, backend in enumerate(backends)
                for recipe in (ALPACA, LOOP)
                for family in FAMILIES
                for kind in KINDS
                if self._worthwhile(recipe, backend, family, kind)
            ]
            ranks = drive([self._training(backends, key) for key in keys], self._folder / name)
            self._done[name] = dict(zip(keys, zip(*ranks, strict=True), strict=True))
        return self._done[name]

    def _worthwhile(self, recipe: str, backend: Record, family: str, kind: str) -> bool:
        """GPT-J and BLOOM where weights are split, for their buffers and tied heads; random weights where rank 0 has all.

        `tests/campaigns/parity.py` trains the rest.
        """
        if kind == "random":
            return recipe == ALPACA and backend in (DDP, FSDP, ZERO[2])
        if family == "opt":
            return True
        return kind == "fp32" and (backend == FSDP or (recipe == ALPACA and backend in (DDP, ZERO[2])))

    def _training(self, backends: tuple[Record, ...], key: Key) -> Record:
        recipe, place, family, kind = key
        backend = backends[place]
        folder = self.folder(backend["name"], key)
        fixed = {"recipe": recipe, "model": str(self._checkpoints[family]), "backend": backend, "folder": str(folder)}
        return {**fixed, **KINDS[kind]}

    def folder(self, name: str, key: Key) -> Path:
        return self._folder / "trainings" / "-".join([name, *map(str, key)])


@pytest.fixture(scope="session")
def runs(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(checkpoints, tmp_path_factory.mktemp("runs"))


def assert_equal(records: dict[Key, tuple[Record, Record]], reference: dict[Key, tuple[Record, Record]]) -> None:
    """Losses and gradient norms are those of the reference, in the precision of the arithmetic."""
    for (_, _, family, kind), (record, other) in records.items():
        if kind == "random" and record["proof"]["sharding"] == "zero-3":
            continue  # transformers draws random weights differently where each is split up at once
        expected, _ = reference[ALPACA, 0, family, kind]
        loss, norm = (2e-6, 2e-5) if kind == "fp32" else (5e-3, 5e-2)
        assert len(record["steps"]) == (3 if kind == "random" else 20)
        assert column(record, "loss") == column(other, "loss")
        assert column(record, "loss") == pytest.approx(column(expected, "loss"), rel=loss)
        assert column(record, "grad_norm") == pytest.approx(column(expected, "grad_norm"), rel=norm)


def assert_arithmetic(records: dict[Key, tuple[Record, Record]]) -> None:
    """The first block is seen to compute in the precision that was asked for, on each rank."""
    for key, ranks in records.items():
        assert {rank["arithmetic"] for rank in ranks} == {"bfloat16" if key[-1] == "bf16" else "float32"}, key


def assert_loop_is_alpaca(records: dict[Key, tuple[Record, Record]]) -> None:
    """The plain loop does what Trainer does: the same rows on each rank, losses and gradient norms."""
    for (recipe, *key), ranks in records.items():
        if recipe == LOOP:
            for loop, trainer in zip(ranks, records[ALPACA, *key], strict=True):
                for name in ("rows", "tokens", "padded", "loss_tokens"):
                    assert column(loop, name) == column(trainer, name), key
                if key[-1] == "bf16":
                    fp32, _ = records[ALPACA, *key[:-1], "fp32"]
                    assert distance(loop, fp32) == pytest.approx(distance(trainer, fp32), rel=0.1), key
                else:
                    assert column(loop, "loss") == pytest.approx(column(trainer, "loss"), rel=1e-5), key
                    assert column(loop, "grad_norm") == pytest.approx(column(trainer, "grad_norm"), rel=1e-4), key


def assert_saved(runs: Runs, backend: Record, records: Any, checkpoints: dict[str, Path]) -> None:
    """The final save is whole and no longer the checkpoint that training began with; of those on the way one is kept."""
    import torch
    from transformers import AutoModelForCausalLM

    for key in records:
        _, _, family, kind = key
        if kind == "random":
            continue
        folder = runs.folder(backend["name"], key)
        kept = {"checkpoint-16"} if kind == "bf16" else set()
        # Each checkpoint is a phase within training, between two steps.
        saves = [["save", 8, 8], ["save", 16, 16]] if kind == "bf16" else []
        trail = [["shard", 0, 0], ["train", 0, 20], *saves, ["save", 20, 20]]
        assert [record["trail"] for record in records[key]] == [trail, trail]
        assert {path.name for path in folder.iterdir()} == kept | {"final"}
        half = backend["name"] == "deepspeed" and kind == "bf16"
        saved, info = AutoModelForCausalLM.from_pretrained(folder / "final", dtype="auto", output_loading_info=True)
        assert not any(info.values())
        assert saved.dtype == (torch.bfloat16 if half else torch.float32)
        first = AutoModelForCausalLM.from_pretrained(checkpoints[family], dtype=torch.float32).state_dict()
        state = saved.float().state_dict()
        assert state.keys() == first.keys()
        moved = [name for name in first if not torch.equal(first[name], state[name])]
        assert len(moved) > len(first) * 0.8
        assert all((first[name] - state[name]).abs().max() < 0.1 for name in first)


@pytest.mark.slow
def test_ddp_counts_what_each_rank_works_on(runs: Runs) -> None:
    record, other = runs.of(DDP)[ALPACA, 0, "opt", "fp32"]
    lengths = [len(row) for row in make_rows(77)]
    for epoch in (record["steps"][:10], record["steps"][10:]):
        # accelerate completes the last batch of every rank with the epoch's first rows.
        assert sum(step["rows"] for step in epoch) == 40
    both = [sum(step[name] for r in (record, other) for step in r["steps"]) for name in ("tokens", "loss_tokens")]
    assert 2 * sum(lengths) <= both[0] <= 2 * (sum(lengths) + 3 * max(lengths))
    assert both[1] == both[0] - 3 * 160
    assert all(step["padded"] >= step["tokens"] for step in record["steps"])


@pytest.mark.slow
def test_ddp_holds_the_same_parameters_on_every_rank(runs: Runs, checkpoints: dict[str, Path]) -> None:
    records = runs.of(DDP)
    for record, other in records.values():
        assert record["proof"]["world"] == other["proof"]["world"] == 2
        assert record["local"] == record["parameters"] == record["proof"]["total_parameters"]
    assert_loop_is_alpaca(records)
    assert_arithmetic(records)
    assert_saved(runs, DDP, records, checkpoints)


@pytest.mark.slow
def test_fsdp_trains_as_ddp_does_in_shards(runs: Runs, checkpoints: dict[str, Path]) -> None:
    records = runs.of(FSDP, WHOLE)
    assert_equal(records, runs.of(DDP))
    assert_loop_is_alpaca(records)
    assert_arithmetic(records)
    for record, other in records.values():
        proofs = record["proof"], other["proof"]
        assert sum(proof["local_parameters"] for proof in proofs) == proofs[0]["total_parameters"]
        assert abs(proofs[0]["local_parameters"] - proofs[1]["local_parameters"]) <= 66
        assert record["local"] == proofs[0]["local_parameters"]
        assert record["parameters"] == other["parameters"] == proofs[0]["total_parameters"]
        # Only rank 0 ever holds the whole model, pretrained or random, and rank 0's is what all of them train.
        assert (record["meta"] == 0) and (other["meta"] > 20)
    assert_saved(runs, FSDP, records, checkpoints)


@pytest.mark.slow
def test_fsdp_divides_by_the_exact_number_of_labelled_tokens(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """In bf16, a count of more than 256 that passes through the model's arguments would have three digits."""
    rows = [[*range(3, 40 + number % 19), EOS] for number in range(64)]
    train = {"precision": "bf16", "batch_size": 8, "max_steps": 2}
    fixed = {"model": str(checkpoints["opt"]), "backend": FSDP, "weights": "pretrained", "rows": rows, "train": train}
    plan = [fixed | {"recipe": recipe, "folder": str(tmp_path / recipe)} for recipe in (ALPACA, LOOP)]
    trainer, loop = drive(plan, tmp_path / "driven")[0]
    assert sum(column(loop, "loss_tokens")) > 1000
    assert column(trainer, "loss") == pytest.approx(column(loop, "loss"), rel=1e-5)


@pytest.mark.slow
def test_fsdp_keeps_gradients_in_shards_between_micro_batches_or_whole_as_its_option_says(runs: Runs) -> None:
    for (_, place, _, _), ranks in runs.of(FSDP, WHOLE).items():
        for proof in (record["proof"] for record in ranks):
            assert proof["sync_each_batch"] is (place == 0)
            held = proof["local_parameters" if place == 0 else "total_parameters"]
            assert proof["gradient_elements_between_batches"] == held


@pytest.mark.slow
def test_every_zero_stage_trains_as_ddp_does(runs: Runs, checkpoints: dict[str, Path]) -> None:
    records = runs.of(*ZERO)
    assert_equal(records, runs.of(DDP))
    assert_loop_is_alpaca(records)
    assert_arithmetic(records)
    for (_, place, _, _), (record, _) in records.items():
        proof = record["proof"]
        assert proof["sharding"] == f"zero-{place + 1}"
        assert proof["local_parameters"] == pytest.approx(proof["total_parameters"] / 2, rel=1e-3)
        assert record["parameters"] == proof["total_parameters"]
        assert record["local"] == (proof["local_parameters"] if place == 2 else proof["total_parameters"])
    assert_saved(runs, ZERO[0], records, checkpoints)


OPTIONS = [
    ZERO[0] | {"overlap_comm": True, "offload_optimizer": CPU},
    ZERO[1]
    | {
        "overlap_comm": True,
        "contiguous_gradients": False,
        "reduce_bucket_size": 1000,
        "allgather_bucket_size": 1000,
        "offload_optimizer": CPU,
    },
    ZERO[2]
    | {
        "stage3_prefetch_bucket_size": 1000,
        "stage3_param_persistence_threshold": 10,
        "stage3_max_live_parameters": 2000,
        "sub_group_size": 4000,
    },
    ZERO[2] | {"offload_optimizer": CPU, "offload_param": CPU},
]


@pytest.mark.slow
def test_zero_options_change_no_losses(checkpoints: dict[str, Path], tmp_path: Path, runs: Runs) -> None:
    expected = column(runs.of(DDP)[ALPACA, 0, "opt", "fp32"][0], "loss")
    fixed = {"model": str(checkpoints["opt"]), "folder": str(tmp_path / "training")}
    chosen = [(ALPACA, backend) for backend in OPTIONS] + [(LOOP, backend) for backend in OPTIONS[1::2]]
    plan = [fixed | KINDS["fp32"] | {"recipe": recipe, "backend": backend} for recipe, backend in chosen]
    for record in drive(plan, tmp_path)[0]:
        assert column(record, "loss") == pytest.approx(expected, rel=2e-6)


@pytest.mark.slow
def test_stage_0_and_a_deepspeed_file_train_as_ddp_does(
    runs: Runs, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    file = tmp_path / "ds.json"
    file.write_text('{"bf16": {"enabled": "auto"}, "zero_optimization": {"stage": 2, "overlap_comm": false}}')
    backends = [{"name": "deepspeed", "stage": 0}, {"name": "deepspeed", "config": str(file)}]
    fixed = {"model": str(checkpoints["opt"]), "folder": str(tmp_path / "training")}
    keys = [(recipe, place, "opt", kind) for place in (0, 1) for recipe in (ALPACA, LOOP) for kind in ("fp32", "bf16")]
    plan = [fixed | KINDS[kind] | {"recipe": recipe, "backend": backends[place]} for recipe, place, _, kind in keys]
    records = dict(zip(keys, zip(*drive(plan, tmp_path / "driven"), strict=True), strict=True))
    assert_equal(records, runs.of(DDP))
    assert {ranks[0]["proof"]["sharding"] for ranks in records.values()} == {"none", "zero-2"}


def test_every_option_is_described_and_has_a_default() -> None:
    for name in ("single", "ddp", "fsdp", "deepspeed"):
        for option, schema in backend_class(name).options_schema.get("properties", {}).items():
            assert schema["description"], f"{name}: {option}"
            assert "default" in schema, f"{name}: {option}"


def test_zero_options_reach_deepspeed_under_their_own_names() -> None:
    pytest.importorskip("deepspeed")
    backend = create(backend_class("deepspeed"), {"stage": 2, "reduce_bucket_size": 1000, "overlap_comm": False})
    zero = backend.arguments()["deepspeed"]["zero_optimization"]
    assert zero == {"stage": 2, "reduce_bucket_size": 1000, "overlap_comm": False}


def test_an_option_that_a_stage_does_not_use_is_refused() -> None:
    with pytest.raises(PluginError, match="does not use offload_param at stage 2: leave it out, or choose stage 3"):
        create(backend_class("deepspeed"), {"stage": 2, "offload_param": CPU})
    with pytest.raises(PluginError, match="choose stage 1 or 2"):
        create(backend_class("deepspeed"), {"stage": 3, "allgather_bucket_size": 1000})


@pytest.mark.parametrize("name", ["ddp", "fsdp", "deepspeed"])
def test_a_model_that_is_not_spread_is_no_proof(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(name if name == "deepspeed" else "torch")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="the model is a OPTForCausalLM, not"):
        create(backend_class(name), {}).prove(tiny("opt"))


def test_ddp_of_one_process_has_nothing_to_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainer wraps a model for a single process on a CPU, and on a GPU it does not."""
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert create(backend_class("ddp"), {}).prove(tiny("opt"))["world"] == 1


def test_single_refuses_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("opt")
    assert create(backend_class("single"), {}).prove(model)["world"] == 1
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="for one process, and this group has 2"):
        create(backend_class("single"), {}).prove(model)


MEDDLING = '''
from benchspec import Recipe


class Meddling(Recipe):
    """A model with a buffer that is saved, and gradients that never cross the ranks."""

    name = "meddling"
    drives = "engine"

    def train(self, job):
        import torch

        job.model.register_buffer("kept", torch.full((3,), float(job.rank + 1)))
        engine = job.backend.spread(job.model, lambda net: torch.optim.SGD(net.parameters()), job.case.train)
        assert job.model.kept.tolist() == [1.0, 1.0, 1.0]
        assert "kept" in job.model.state_dict()
        engine.module.set_requires_gradient_sync(False)
        engine.module.set_requires_gradient_sync = lambda sync: None
        with engine.computing(last=False):
            engine.backward(engine.module(**job.collate(list(job.data))).loss)
        try:
            job.backend.prove(engine.module)
        except RuntimeError as error:
            job.steps.append({"error": str(error)})
        # The driver asks once more.
        job.backend.prove = lambda model: {}


def benchspec_register():
    return [Meddling]
'''


@pytest.mark.slow
def test_fsdp_spreads_saved_buffers_and_notices_gradients_that_are_not_in_shards(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "meddling.py").write_text(MEDDLING)
    fixed = {"model": str(checkpoints["opt"]), "folder": str(tmp_path / "training"), "weights": "pretrained"}
    training = {"recipe": "meddling", "backend": FSDP, "rows": make_rows(4), "train": {}}
    for record in drive([fixed | training], tmp_path / "ranks", env={"PYTHONPATH": str(tmp_path)}):
        (step,) = record[0]["steps"]
        assert step["error"].startswith("this rank held 23456 elements of gradients between micro-batches, more than")


PEEKING = """
import os

from benchspec_plugins.recipes.{module} import {name} as Recipe


class Peeking(Recipe):
    '''Keeps which of DeepSpeed's float32 weights are not the checkpoint's after a step with learning rate 0.'''

    name = "peeking"

    def train(self, job):
        import torch
        from deepspeed.utils import safe_get_full_fp32_param
        from safetensors.torch import load_file

        step, first = job.step, load_file(os.environ["CHECKPOINT"] + "/model.safetensors")

        def peek(*counts):
            found = {{name: safe_get_full_fp32_param(p) for name, p in job.model.named_parameters()}}
            go_on = step(*counts)
            job.steps[-1]["rounded"] = [name for name in found if not torch.equal(found[name], first[name])]
            job.steps[-1]["model"] = sorted({{str(p.dtype) for p in job.model.parameters()}})
            return go_on

        job.step = peek
        return super().train(job)


def benchspec_register():
    return [Peeking]
"""


@pytest.mark.slow
def test_zero_starts_from_the_float32_weights_in_bf16_too(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    for module, name in (("alpaca", "Alpaca"), ("loop", "Loop")):
        (tmp_path / f"peeking_{module}.py").write_text(PEEKING.format(module=module, name=name))
    fixed = {"model": str(checkpoints["opt"]), "folder": str(tmp_path / "training"), "weights": "pretrained"}
    fixed |= {"rows": make_rows(24), "train": {"max_steps": 2, "precision": "bf16"}}
    plan = [
        fixed | {"recipe": f"peeking_{module}", "backend": backend}
        for backend in (*ZERO, ZERO[2] | {"offload_optimizer": CPU, "offload_param": CPU})
        for module in ("alpaca", "loop")
    ]
    env = {"PYTHONPATH": str(tmp_path), "CHECKPOINT": str(checkpoints["opt"])}
    for record in (record for rank in drive(plan, tmp_path / "ranks", env=env) for record in rank):
        first, second = record["steps"]
        assert first["model"] == ["torch.bfloat16"]
        assert first["rounded"] == []
        assert len(second["rounded"]) > 20
