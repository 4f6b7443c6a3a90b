"""Every backend trains every family, from one checkpoint, to the same losses."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import FAMILIES, backend_class, create, make_rows, small_tokenizer, tiny

from benchspec import PluginError

DRIVER = Path(__file__).with_name("drive_backend.py")
ZERO = [{"name": "deepspeed", "stage": stage} for stage in (1, 2, 3)]
CPU = {"device": "cpu"}
SAVING = {"precision": "bf16", "activation_checkpointing": True, "save": {"final": True, "every": 2, "keep": 1}}

Record = dict[str, Any]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder a family, as `save_pretrained` makes it."""
    folders = {family: tmp_path_factory.mktemp(family) for family in FAMILIES}
    for family, folder in folders.items():
        tiny(family).save_pretrained(folder)
        small_tokenizer().save_pretrained(folder)
    return folders


class Runs:
    """The three trainings of every family under some backends, in one process group each, made when first asked for."""

    def __init__(self, checkpoints: dict[str, Path], folder: Path):
        self._checkpoints = checkpoints
        self._folder = folder
        self._done: dict[str, dict[tuple[Any, ...], tuple[Record, Record]]] = {}

    def of(self, *backends: Record) -> dict[tuple[Any, ...], tuple[Record, Record]]:
        """By backend (its place), family and kind of training: what both ranks recorded."""
        name = backends[0]["name"]
        if name not in self._done:
            plan = {
                (place, family, kind): self._training(backend, family, kind, f"{name}-{place}-{family}-{kind}")
                for place, backend in enumerate(backends)
                for family in FAMILIES
                for kind in (
                    ("equal", "saving", "random") if backend.get("stage") not in (1, 2) else ("equal", "saving")
                )
            }
            ranks = drive(list(plan.values()), self._folder / name)
            self._done[name] = dict(zip(plan, zip(*ranks, strict=True), strict=True))
        return self._done[name]

    def _training(self, backend: Record, family: str, kind: str, name: str) -> Record:
        # 77 rows leave the last accumulation of an epoch short: 20 optimizer steps in two epochs.
        more = {
            "equal": {"weights": "pretrained", "rows": make_rows(77), "train": {"epochs": 2}},
            "saving": {"weights": "pretrained", "rows": make_rows(40), "train": SAVING},
            "random": {"weights": "random", "rows": make_rows(40), "train": {"max_steps": 3}},
        }[kind]
        folder = self.folder(name)
        recipe = "benchspec_plugins.recipes.alpaca"
        return {
            "recipe": recipe,
            "model": str(self._checkpoints[family]),
            "backend": backend,
            "folder": str(folder),
            **more,
        }

    def folder(self, name: str) -> Path:
        return self._folder / "trainings" / name


@pytest.fixture(scope="session")
def runs(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(checkpoints, tmp_path_factory.mktemp("runs"))


def drive(trainings: list[Record], folder: Path, processes: int = 2) -> list[list[Record]]:
    """What each rank recorded of each training, all in one process group."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "plan.json").write_text(json.dumps(trainings))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    # accelerate imports DeepSpeed, where it is installed, which says on stdout that it found no GPU unless it is told.
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    done = subprocess.run(
        [*torchrun, str(DRIVER), str(folder / "plan.json"), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert done.stdout == ""
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(processes)]


def column(record: Record, name: str) -> list[float]:
    return [step[name] for step in record["steps"]]


def assert_equal(records: dict[tuple[Any, ...], tuple[Record, Record]], reference: Any) -> None:
    """Losses and gradient norms are those of the reference, in float32's precision."""
    for (_, family, kind), (record, other) in records.items():
        if kind == "equal":
            expected, _ = reference[0, family, kind]
            assert len(record["steps"]) == 20
            assert column(record, "loss") == column(other, "loss")
            assert column(record, "loss") == pytest.approx(column(expected, "loss"), rel=2e-6)
            assert column(record, "grad_norm") == pytest.approx(column(expected, "grad_norm"), rel=2e-5)


def assert_saved(runs: Runs, name: str, places: int, checkpoints: dict[str, Path]) -> None:
    """The final save is whole, differs from the checkpoint that training began with, and one checkpoint was kept."""
    import torch
    from transformers import AutoModelForCausalLM

    for place in range(places):
        for family in FAMILIES:
            folder = runs.folder(f"{name}-{place}-{family}-saving")
            assert {path.name for path in folder.iterdir()} == {"checkpoint-5", "final"}
            saved, info = AutoModelForCausalLM.from_pretrained(
                folder / "final", dtype=torch.float32, output_loading_info=True
            )
            assert not any(info.values())
            first = AutoModelForCausalLM.from_pretrained(checkpoints[family], dtype=torch.float32).state_dict()
            state = saved.state_dict()
            assert state.keys() == first.keys()
            moved = [name for name in first if not torch.equal(first[name], state[name])]
            assert len(moved) > len(first) * 0.8
            assert all((first[name] - state[name]).abs().max() < 0.1 for name in first)


@pytest.mark.slow
def test_ddp_counts_what_each_rank_works_on(runs: Runs) -> None:
    record, other = runs.of({"name": "ddp"})[0, "opt", "equal"]
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
    for record, other in runs.of({"name": "ddp"}).values():
        assert record["proof"]["world"] == other["proof"]["world"] == 2
    assert_saved(runs, "ddp", 1, checkpoints)


@pytest.mark.slow
def test_fsdp_trains_as_ddp_does_in_shards(runs: Runs, checkpoints: dict[str, Path]) -> None:
    reference, records = runs.of({"name": "ddp"}), runs.of({"name": "fsdp"})
    assert_equal(records, reference)
    for key, (record, other) in records.items():
        proofs = record["proof"], other["proof"]
        assert sum(proof["local_parameters"] for proof in proofs) == proofs[0]["total_parameters"]
        assert abs(proofs[0]["local_parameters"] - proofs[1]["local_parameters"]) <= 66
        # Only rank 0 ever holds the whole model, pretrained or random, and rank 0's is what all of them train.
        assert (record["meta"] == 0) and (other["meta"] > 20)
        assert column(record, "loss") == pytest.approx(column(reference[key][0], "loss"), rel=5e-3)
    assert_saved(runs, "fsdp", 1, checkpoints)


@pytest.mark.slow
def test_every_zero_stage_trains_as_ddp_does(runs: Runs, checkpoints: dict[str, Path]) -> None:
    reference, records = runs.of({"name": "ddp"}), runs.of(*ZERO)
    assert_equal(records, reference)
    for (place, family, kind), (record, _) in records.items():
        proof = record["proof"]
        assert proof["sharding"] == f"zero-{place + 1}"
        assert proof["local_parameters"] == pytest.approx(proof["total_parameters"] / 2, rel=1e-3)
        if kind == "saving":
            expected = column(reference[0, family, kind][0], "loss")
            assert column(record, "loss") == pytest.approx(expected, rel=5e-3)
    assert_saved(runs, "deepspeed", 3, checkpoints)


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
    plan = [
        {
            "recipe": "benchspec_plugins.recipes.alpaca",
            "model": str(checkpoints["opt"]),
            "backend": backend,
            "folder": str(tmp_path / "training"),
            "weights": "pretrained",
            "rows": make_rows(77),
            "train": {"epochs": 2},
        }
        for backend in OPTIONS
    ]
    expected = column(runs.of({"name": "ddp"})[0, "opt", "equal"][0], "loss")
    for record in drive(plan, tmp_path)[0]:
        assert column(record, "loss") == pytest.approx(expected, rel=2e-6)


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
def test_a_model_that_is_not_spread_is_no_proof(name: str) -> None:
    pytest.importorskip(name if name == "deepspeed" else "torch")
    with pytest.raises(RuntimeError, match="the model is a OPTForCausalLM, not"):
        create(backend_class(name), {}).prove(tiny("opt"))


def test_single_refuses_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("opt")
    assert create(backend_class("single"), {}).prove(model)["world"] == 1
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="for one process, and this group has 2"):
        create(backend_class("single"), {}).prove(model)
