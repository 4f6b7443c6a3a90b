"""The fresh process that loads and asks a trained model: `python -m benchspec.worker.answering CASE_DIR`.

It appends to the events of rank 0, which waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchspec.cases.case import read_case
from benchspec.kinds.bases import Method, Recipe
from benchspec.kinds.generation import Batch, Prompt, answer
from benchspec.kinds.registry import Registry
from benchspec.machine.process import die_with_starter
from benchspec.results.events import EventLog
from benchspec.terms.layout import CHECKPOINT
from benchspec.worker import device, network
from benchspec.worker.farewell import report_failure
from benchspec.worker.rank import Rank

if TYPE_CHECKING:
    import torch


def ask(job: Rank, model: Any, tokenizer: Any, templates: Mapping[str, str] | None) -> None:
    """Ask a model, and write the event `answers` for each batch; without templates, prompts are as the spec says."""
    query = job.case.query
    assert query is not None
    network.set_attention(model, job.case.train["attention"], job.device.type)
    asked = prompts(query, templates)
    for batch in answer(model.to(job.device), tokenizer, asked, query, job.device, warm_up=True):
        job.log.add("answers", **_told(batch), peak_memory=_peak(job.device))


def prompts(query: Mapping[str, Any], templates: Mapping[str, str] | None) -> list[Prompt]:
    """The prompts of a case's `query`, in a recipe's templates; without templates, as they are."""
    return [_prompt(given, templates) for given in query["prompts"]]


def _prompt(given: str | Mapping[str, str], templates: Mapping[str, str] | None) -> Prompt:
    given = {"instruction": given} if isinstance(given, str) else given
    instruction, data = given["instruction"], given.get("input", "")
    said = f"{instruction}\n{data}" if data else instruction
    if templates is None:
        return Prompt(said, said)
    template = templates["with_input" if data else "without_input"]
    return Prompt(said, template.format(instruction=instruction, input=data))


def _told(batch: Batch) -> dict[str, Any]:
    return {key: value for key, value in batch._asdict().items() if key != "ended"}


def dtype_of(precision: str) -> torch.dtype:
    """torch's type of the parameters of a model that is asked in `train.precision`."""
    import torch

    return {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]


def _peak(target: torch.device) -> int | None:
    """The most bytes that this process has used so far: of tensors on an accelerator, otherwise resident."""
    return device.memory_peaks()["allocated" if target.type == "cuda" else "host"]


def main(folder: Path) -> None:
    """Load and ask the checkpoint of a case; the process ends with exit code 1 if that fails."""
    job = Rank(folder, EventLog(folder, 0), rank=0, world=1)
    job.open.append("query")
    try:
        _load_and_ask(job)
    except BaseException as error:
        report_failure(job, error)
        sys.exit(1)


def _load_and_ask(job: Rank) -> None:
    from transformers import AutoTokenizer

    job.case, _ = read_case(job.folder)
    registry = Registry.load()
    job.packages, job.device = registry.packages, device.choose()
    method = cast(Method, registry.create("method", job.case.method))
    recipe = cast(Recipe, registry.create("recipe", job.case.recipe))
    final, auto = str(job.folder / CHECKPOINT), cast(Any, AutoTokenizer)
    tokenizer = auto.from_pretrained(final, local_files_only=True, trust_remote_code=False)
    model = method.load(final, dtype_of(job.case.train["precision"]))
    ask(job, model, tokenizer, recipe.templates)


if __name__ == "__main__":
    die_with_starter()
    main(Path(sys.argv[1]))
