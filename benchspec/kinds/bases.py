"""The base class of each plugin kind, and the plain values that plugins exchange with the core.

A whole plugin package is one module and one entry point in the group `benchspec` that names it:

    from benchspec import Dataset, Row, hookimpl

    class CsvRows(Dataset):
        "Rows of a CSV file with the columns instruction, input and output."

        name = "csv-rows"
        options_schema = {"properties": {"path": {"type": "string", "format": "path"}}, "required": ["path"]}

        def rows(self):
            with open(self.options["path"], newline="") as file:
                return [Row(r["instruction"], r["input"], r["output"]) for r in csv.DictReader(file)]

    @hookimpl
    def benchspec_register():
        return [CsvRows]

Heavy imports (torch, transformers) go inside the method that needs them: every command imports every plugin module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol


class Row(NamedTuple):
    """One example to learn from; `input` is empty where the instruction needs none."""

    instruction: str
    input: str
    output: str


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A transformer's published dimensions, enough to count its parameters and operations without building it."""

    layers: int
    hidden: int
    heads: int
    ffn: int
    vocabulary: int
    #: the longest sequence; None where any length will do (ALiBi)
    positions: int | None
    #: whether the output head shares the word embeddings' matrix
    tied_head: bool
    #: every parameter, the tied head counted once
    parameters: int
    #: parameters that are only looked up, never multiplied with: word embeddings and position tables
    lookup_parameters: int


class Fact(NamedTuple):
    """A figure and where it comes from."""

    value: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a machine is; None, or a key that is absent, where a figure is not known."""

    #: as its maker calls it, e.g. "NVIDIA H100 80GB HBM3"; None where the machine has none
    accelerator: str | None
    accelerators: int
    #: bytes an accelerator
    memory: Fact | None = None
    #: dense peak FLOP/s an accelerator, by `bf16`, `tf32` and `fp32`
    peak: Mapping[str, Fact] = field(default_factory=dict)
    #: bytes/s between an accelerator and its memory
    memory_bandwidth: Fact | None = None
    #: bytes/s between one accelerator and the others, both directions together
    link_bandwidth: Fact | None = None
    #: of the whole machine, in the currency that the source names
    price_per_hour: Fact | None = None


class Plugin:
    """What every kind has in common; a class's base says its kind."""

    #: the kind, as specs and messages call it; set by each base class
    kind: ClassVar[str]
    #: how specs name the class
    name: ClassVar[str]
    #: a JSON-schema fragment for an object: `properties` and `required`; other options are errors
    options_schema: ClassVar[Mapping[str, Any]] = {}
    #: names for this class together with some of its options
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, options: Mapping[str, Any]):
        #: every option, defaults filled in; paths absolute, nested plugins as instances
        self.options = options


class Dataset(Plugin):
    """Which rows are learnt from."""

    kind = "dataset"

    def rows(self) -> Sequence[Row]:
        """The distinct rows. Raises `BenchspecError` for data that cannot be used, naming file and row."""
        raise NotImplementedError

    def order(self) -> Any:
        """An integer array, which row stands at each place; None: each row once, in order."""
        return None


class Model(Plugin):
    """Which network, with which tokenizer and weights."""

    kind = "model"
    #: class names of the blocks that a backend shards by
    blocks: Sequence[str] = ()

    def shape(self) -> Shape | None:
        """The network's dimensions, without importing torch; None where they cannot be known beforehand."""
        return None

    def tokenizer(self) -> Any:
        """A `transformers` tokenizer with an end-of-sequence token."""
        raise NotImplementedError

    def build(self) -> Any:
        """The `torch.nn.Module`, in float32; called inside the backend's `building()`."""
        raise NotImplementedError


class Method(Plugin):
    """Which parameters learn."""

    kind = "method"

    def apply(self, model: Any) -> Any:
        """The model to train, made of `model`."""
        raise NotImplementedError


class Backend(Plugin):
    """How a model is spread over processes."""

    kind = "backend"

    def arguments(self) -> dict[str, Any]:
        """What `transformers.TrainingArguments` must be told."""
        return {}

    def trainer(self, cls: type) -> type:
        """The `Trainer` class to use in place of `cls`."""
        return cls

    def building(self) -> AbstractContextManager[Any]:
        """A context around `Model.build`."""
        return nullcontext()

    def prove(self, model: Any) -> dict[str, Any]:
        """Evidence that `model`, as the trainer wraps it, is spread as asked; raises `RuntimeError` where it is not."""
        raise NotImplementedError


class Job(Protocol):
    """What a recipe is given: one rank of one case, ready to train."""

    #: the `benchspec.Case`, every field with every value
    case: Any
    #: the network, built, not yet spread
    model: Any
    tokenizer: Any
    #: the rows in order, a map-style dataset: `{"input_ids": int32 array, "prompt": its first tokens not to learn}`
    data: Any
    backend: Backend
    #: this attempt's folder, for checkpoints
    folder: Path

    def phase(self, name: str) -> AbstractContextManager[None]:
        """A context that marks `shard`, `train` or `save`; `train` opens when the spread model is ready."""

    def step(
        self,
        rows: int,
        tokens: int,
        padded_tokens: int,
        loss_tokens: int,
        loss: float,
        grad_norm: float | None,
    ) -> bool:
        """Report an optimizer step of this rank (`loss` is the mean over all ranks); False: stop, enough is known."""


class Recipe(Plugin):
    """How the training loop runs."""

    kind = "recipe"
    #: prompt templates, `str.format` strings over a row's fields, for rows with and without an input
    templates: Mapping[str, str] = {
        "with_input": "{instruction}\n{input}\n",
        "without_input": "{instruction}\n",
    }

    def train(self, job: Job) -> Any:
        """Train `job.model` on `job.data`; return the wrapped model where the backend wraps it, else None."""
        raise NotImplementedError


class Handle(Protocol):
    """A process group that was started."""

    #: enough for a later process to `attach`
    id: str

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""

    def stop(self) -> None:
        """End every process of the group, and return when none is left."""


class Launcher(Plugin):
    """How processes start."""

    kind = "launcher"
    #: how many cases may be in flight
    parallel: int = 1

    def start(self, case_dir: Path) -> Handle:
        """Start `python -m benchspec.worker CASE_DIR` on every rank; output goes to stdout.log and stderr.log there."""
        raise NotImplementedError

    def attach(self, id: str) -> Handle:
        """The handle of a group that an earlier process started."""
        raise NotImplementedError


class Hardware(Plugin):
    """What the machine is."""

    kind = "hardware"

    def facts(self) -> Facts:
        """Accelerators, memory, dense peak FLOP/s, bandwidths and price, each with its source or None."""
        raise NotImplementedError


class Reporter(Plugin):
    """How results are shown."""

    kind = "reporter"
    #: of the file that the report is kept in, e.g. ".md"
    suffix: str = ".txt"

    def render(self, results: Any) -> str:
        """The whole report of a `benchspec.Results`: a sequence of `Result`, with `run` and `name`."""
        raise NotImplementedError


#: the base class of each kind, by its name in specs
KINDS: Mapping[str, type[Plugin]] = {
    base.kind: base for base in (Dataset, Model, Method, Recipe, Backend, Launcher, Hardware, Reporter)
}
#: the kinds that are fields of a case; the others belong to the run
CASE_KINDS = ("model", "dataset", "method", "recipe", "backend", "launcher")
