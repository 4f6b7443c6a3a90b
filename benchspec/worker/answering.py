"""The fresh process that loads and asks a trained model: `python -m benchspec.worker.answering CASE_DIR`.

It goes on with the events of rank 0, whose process it was.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchspec.cases.case import read_case
from benchspec.kinds.bases import Method, Model, Recipe
from benchspec.kinds.faults import shape_of
from benchspec.kinds.generation import Batch, Prompt, answer, check_lengths
from benchspec.kinds.registry import Registry
from benchspec.machine.process import die_with_starter
from benchspec.results.events import EventLog
from benchspec.terms.errors import BenchspecError
from benchspec.terms.layout import CHECKPOINT
from benchspec.worker import device, network, pulse
from benchspec.worker.farewell import exit_now, report_failure
from benchspec.worker.rank import Rank

if TYPE_CHECKING:
    import torch


def check(job: Rank, model: Model, templates: Mapping[str, str] | None) -> None:
    """Raise `BenchspecError` if a prompt is too long for the model, as far as that is known before it is built."""
    assert job.case.query is not None
    shape = shape_of(model)
    if shape and shape.positions:
        asked = prompts(job.case.query, templates)
        check_lengths(job.tokenizer, asked, job.case.query["max_new_tokens"], shape.positions)


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
    """Load and ask the checkpoint of a case, then end the process, with exit code 1 if that failed."""
    job = Rank(folder, EventLog(folder, 0), rank=0, world=1)
    job.open.append("query")
    pulse.start(job)
    try:
        _load_and_ask(job)
        job.log.add("end", phase=job.open.pop())
        job.log.add("done")
    except BaseException as error:
        report_failure(job, error)
        exit_now(1)
    exit_now(0)


def _load_and_ask(job: Rank) -> None:
    job.case = read_case(job.folder).case
    registry = Registry.load()
    job.packages, job.device = registry.packages, device.choose()
    method = cast(Method, registry.create("method", job.case.method))
    recipe = cast(Recipe, registry.create("recipe", job.case.recipe))
    final = job.folder / CHECKPOINT
    model = method.load(str(final), dtype_of(job.case.train["precision"]))
    ask(job, model, _tokenizer(final), recipe.templates)


def _tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder; `transformers` would make up an empty one if there is none."""
    from transformers import AutoTokenizer

    if not any(any(folder.glob(pattern)) for pattern in ("tokenizer*", "vocab*", "*.model")):
        raise BenchspecError(f"{folder} has no tokenizer")
    auto: Any = AutoTokenizer
    return auto.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)


if __name__ == "__main__":
    die_with_starter()
    main(Path(sys.argv[1]))
