"""What a training is, as far as it can be seen from outside: the case of its run directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchspec.cases.case import Case
from benchspec.cases.ids import DIGITS, digest

#: the experiment of every such case
EXPERIMENT = "training"
#: in place of a plugin's name: the script's own
OWN = "own"


def case_of(
    model: Mapping[str, Any], dataset: Mapping[str, Any], train: Mapping[str, Any], backend: str, processes: int
) -> Case:
    """A case with these settings; its id is readable, with a digest of all of them."""
    own = {"name": OWN}
    launcher = {"name": OWN, "processes": processes}
    said = {
        "model": dict(model),
        "dataset": dict(dataset),
        "backend": {"name": backend},
        "launcher": launcher,
        "train": dict(train),
    }
    return Case(
        id=f"{_word(str(model['name']))}-{digest(said)[:DIGITS]}",
        experiment=EXPERIMENT,
        axes={"model": model["name"]},
        expected=("ok",),
        said=said,
        model=said["model"],
        dataset=said["dataset"],
        method=own,
        recipe=own,
        backend=said["backend"],
        launcher=launcher,
        train=said["train"],
        measure={"warmup_steps": None},
        limits={"timeout": None, "stall": None},
    )


def settings_of(case: Case) -> dict[str, Any]:
    """What is known of a script's training: dotted path -> value."""
    train = {f"train.{name}": value for name, value in case.train.items()}
    rows, processes = case.dataset.get("rows"), case.launcher["processes"]
    # Accelerate's name for one process alone is "no".
    backend = "single" if case.backend["name"] == "no" else case.backend["name"]
    return {"backend": backend, "dataset.rows": rows, "processes": processes, **train}


def benchmark_name(name: str | None, folder: Path) -> str:
    """The benchmark's name: as given, else that of the folder."""
    return _word(name or folder.resolve().name)


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-.")[:80] or "training"


def model_settings(model: Any) -> dict[str, Any]:
    """The class of a model, its name and its size, as far as it is known."""
    config = getattr(model, "config", None)
    name = str(getattr(config, "_name_or_path", "") or "").rstrip("/").rpartition("/")[2] or type(model).__name__
    known = {key: size for key, size in sizes(model).items() if size is not None}
    return {"name": name, "class": type(model).__name__, **known}


def sizes(model: Any) -> dict[str, int | None]:
    """Parameters, all and trained; None where some are spread so that their whole size does not show."""
    found = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    if not all(size for size, _ in found):
        return {"parameters": None, "trainable_parameters": None}
    trained = sum(size for size, requires_grad in found if requires_grad)
    return {"parameters": sum(size for size, _ in found), "trainable_parameters": trained}


def described(model: Any, *, precision: str, tf32: bool) -> dict[str, Any]:
    """The fields of the event `model`."""
    from benchspec.worker.proof import dtypes

    unknown = {"shape": None, "share": None, "method": OWN}
    return {**sizes(model), "dtype": dtypes(model), "precision": precision, "tf32": tf32, **unknown}


def trainer_settings(args: Any) -> dict[str, Any]:
    """What `transformers.TrainingArguments` says of how it trains."""
    precision = "bf16" if args.bf16 else "fp16" if args.fp16 else "fp32"
    return {
        "epochs": args.num_train_epochs,
        "max_steps": args.max_steps if args.max_steps > 0 else None,
        "batch_size": args.train_batch_size,
        "gradient_accumulation": args.gradient_accumulation_steps,
        "precision": precision,
        "tf32": bool(args.tf32),
        "learning_rate": args.learning_rate,
        "weight_decay": args.weight_decay,
        "warmup_steps": args.warmup_steps,
        "lr_scheduler": _name(args.lr_scheduler_type),
        "max_grad_norm": args.max_grad_norm,
        "seed": args.seed,
        "optimizer": _name(args.optim),
        "activation_checkpointing": bool(args.gradient_checkpointing),
        "compile": bool(args.torch_compile),
    }


def _name(value: Any) -> str:
    return str(getattr(value, "value", value))
