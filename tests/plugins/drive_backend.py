"""Trains tiny models one after the other, on every process of a group, and writes what happened.

    torchrun --nproc-per-node 2 tests/plugins/drive_backend.py PLAN OUT

PLAN is a JSON list of trainings: `recipe` (the module that registers it), `backend` (name, then options), `model` (a
checkpoint's folder), `weights` (`pretrained` or `random`), `rows` (lists of token ids, the first three of which are the
prompt), `train` (the fields of a case's `train`), `folder` and perhaps `method` (name, then options). OUT gets one `<rank>.json`: a list of what each training
recorded.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchspec.kinds.bases import Backend, Plugin

FAMILIES = ("opt", "gpt-j", "bloom")
#: odd, so that no embedding splits evenly
VOCABULARY = 131
EOS = 2
TRAIN = {
    "epochs": 1,
    "max_steps": None,
    "batch_size": 2,
    "gradient_accumulation": 2,
    "max_length": 64,
    "precision": "fp32",
    "tf32": False,
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "warmup_ratio": 0.03,
    "lr_scheduler": "cosine",
    "max_grad_norm": 1.0,
    "seed": 42,
    "attention": "eager",
    "optimizer": "adamw",
    "activation_checkpointing": False,
    "save": None,
}


def tiny(family: str) -> Any:
    """A model of two blocks, without dropout, so that every backend computes the same."""
    import torch
    from transformers import BloomConfig, BloomForCausalLM, GPTJConfig, GPTJForCausalLM, OPTConfig, OPTForCausalLM

    torch.manual_seed(3)
    common = {"vocab_size": VOCABULARY, "bos_token_id": EOS, "eos_token_id": EOS, "pad_token_id": 1}
    if family == "opt":
        sizes = {"hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 64, "num_hidden_layers": 2}
        rest = {"num_attention_heads": 4, "max_position_embeddings": 64, "dropout": 0.0}
        return OPTForCausalLM(OPTConfig(**common, **sizes, **rest))
    if family == "gpt-j":
        sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_positions": 64}
        dropout = {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}
        return GPTJForCausalLM(GPTJConfig(**common, **sizes, **dropout))
    return BloomForCausalLM(BloomConfig(**common, hidden_size=32, n_layer=2, n_head=4))


def small_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<unk>": 0, "<pad>": 1, "</s>": EOS} | {f"w{number}": number for number in range(3, VOCABULARY)}
    backend = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", bos_token="</s>", pad_token="<pad>")


def make_rows(count: int) -> list[list[int]]:
    """Rows of 5 to 20 tokens, each ending as a real one does."""
    draw = np.random.default_rng(5)
    return [[*draw.integers(3, VOCABULARY, draw.integers(4, 20)).tolist(), EOS] for _ in range(count)]


def as_data(rows: list[list[int]]) -> list[dict[str, Any]]:
    return [{"input_ids": np.array(ids, np.int32), "prompt": 3} for ids in rows]


@dataclass
class DrivenJob:
    """A job that keeps what it is told."""

    case: Any
    model: Any
    tokenizer: Any
    data: Any
    backend: Backend
    folder: Path
    rank: int = int(os.environ.get("RANK", "0"))
    world: int = int(os.environ.get("WORLD_SIZE", "1"))
    device: str = "cpu"
    stop_after: int | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    #: the phases in their order, and the steps so far in which each began and ended: `("save", 8, 8)`
    trail: list[tuple[str, int, int]] = field(default_factory=list)
    #: phases that an exception went through
    broken: list[str] = field(default_factory=list)
    watch: Any = None

    def collate(self, rows: Any) -> dict[str, Any]:
        from benchspec.worker.data.batches import collate, padding_token

        return collate(rows, padding_token(self.tokenizer))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        from benchspec.worker.arithmetic import Watch

        if name == "train":
            self.watch = Watch(self.model)
        start, steps, place = time.monotonic(), len(self.steps), len(self.trail)
        try:
            yield
        except BaseException:
            self.broken.append(name)
            raise
        self.phases[name] = time.monotonic() - start
        self.trail.insert(place, (name, steps, len(self.steps)))

    def save_due(self, step: int) -> bool:
        every = (self.case.train["save"] or {}).get("every")
        return bool(every) and step % every == 0

    def step(
        self, rows: int, tokens: int, padded_tokens: int, loss_tokens: int, loss: float, grad_norm: Any, **computed: int
    ) -> bool:
        counts = {"rows": rows, "tokens": tokens, "padded": padded_tokens, "loss_tokens": loss_tokens}
        self.steps.append({**counts, "loss": loss, "grad_norm": None if grad_norm is None else float(grad_norm)})
        return self.stop_after is None or len(self.steps) < self.stop_after


def create(plugin: type[Plugin], options: dict[str, Any]) -> Any:
    """A plugin with its defaults filled in, as planning does."""
    fields = plugin.options_schema.get("properties", {})
    return plugin({name: field.get("default") for name, field in fields.items()} | options)


def registered(module: str) -> type[Plugin]:
    (found,) = import_module(module).benchspec_register()
    return found


def backend_class(name: str) -> type[Plugin]:
    return registered(f"benchspec_plugins.backends.{name}")


def make_job(
    folder: Path,
    rows: list[list[int]],
    train: dict[str, Any],
    backend: dict[str, Any],
    out: Path,
    weights: str,
    method: dict[str, Any] | None = None,
) -> DrivenJob:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    plugin = create(backend_class(backend["name"]), {k: v for k, v in backend.items() if k != "name"})
    torch.manual_seed(7)
    with plugin.building():
        if weights == "pretrained":
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        else:
            config = AutoConfig.from_pretrained(folder)
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager")
            model.config.name_or_path = ""
    if method:
        torch.manual_seed(7)
        chosen = registered(f"benchspec_plugins.methods.{method['name']}")
        model = create(chosen, {k: v for k, v in method.items() if k != "name"}).apply(model)
    case = SimpleNamespace(train={**TRAIN, **train})
    return DrivenJob(case, model, AutoTokenizer.from_pretrained(folder), as_data(rows), plugin, out)


def train(training: dict[str, Any]) -> dict[str, Any]:
    out = Path(training["folder"])
    job = make_job(
        Path(training["model"]),
        training["rows"],
        training["train"],
        training["backend"],
        out,
        training["weights"],
        training.get("method"),
    )
    meta = sum(parameter.is_meta for parameter in job.model.parameters())
    parameters = sum(job.backend.numel(parameter) for parameter in job.model.parameters())
    trained = create(registered(training["recipe"]), training.get("options", {})).train(job)
    proof = job.backend.prove(job.model if trained is None else trained)
    local = sum(job.backend.local(parameter).numel() for parameter in job.model.parameters())
    held = {"meta": meta, "parameters": parameters, "local": local, "arithmetic": job.watch and job.watch.dtype}
    return {"steps": job.steps, "trail": job.trail, "proof": proof, **held}


def forget() -> None:
    """Make accelerate and transformers forget the last training, so that another backend or model can follow."""
    from accelerate.state import AcceleratorState, GradientState
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    gc.collect()
    os.environ.pop("ACCELERATE_USE_FSDP", None)
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    unset_hf_deepspeed_config()


def main(plan: Path, out: Path) -> None:
    done = []
    for training in json.loads(plan.read_text()):
        done.append(train(training))
        forget()
    (out / f"{os.environ.get('RANK', '0')}.json").write_text(json.dumps(done))
    sys.stdout.flush()
    sys.stderr.flush()
    # gloo aborts in its teardown now and then, after everything is done.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
