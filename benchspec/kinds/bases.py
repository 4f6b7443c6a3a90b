'''The base class of each plugin kind: the manual for plugin authors.

A whole plugin package is one module and one entry point in the group `benchspec` that names it:

    import csv
    from pathlib import Path

    from benchspec import Dataset, Row, hookimpl


    class CsvRows(Dataset):
        """Rows of a CSV file with the columns instruction, input and output."""

        name = "csv-rows"
        options_schema = {"properties": {"path": {"type": "string", "format": "path"}}, "required": ["path"]}

        def rows(self):
            with Path(self.options["path"]).open(newline="") as file:
                return [Row(r["instruction"], r["input"], r["output"]) for r in csv.DictReader(file)]


    @hookimpl
    def benchspec_register():
        return [CsvRows]

Each method says what it must return. A method without a default must be written; the others may be left out.

Import torch, transformers and other large libraries inside the method that needs them: every command imports every
plugin module. Which plugins are created where: `validate` and `plan` create all of a case's plugins, in a process
that may have no torch, to check their options; each rank of a case creates its own, except launcher, hardware and
reporters, which belong to the process that runs the sweep.
'''

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from benchspec.kinds.engine import Engine
from benchspec.kinds.values import Facts, Row, Shape, Share

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchspec.cases.case import Case
    from benchspec.results.results import Results


class Plugin:
    """What all kinds have in common; the base class says the kind."""

    #: the kind, as specs and messages call it; set by each base class
    kind: ClassVar[str]
    #: how specs name the class
    name: ClassVar[str]
    #: a JSON-schema fragment for an object: `properties` and `required`; unknown options are errors. `default`s are
    #: filled in. A string of `"format": "path"` arrives as an absolute path, one of `"path-or-hub"` only if it exists;
    #: `{"$ref": "#/$defs/dataset"}`, and so for every kind, is another plugin, which arrives as its instance.
    options_schema: ClassVar[Mapping[str, Any]] = {}
    #: names for this class together with some of its options
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, options: Mapping[str, Any]):
        """Keep the options; raise `PluginError` for a combination that makes no sense, which `validate` shows."""
        #: every option, defaults filled in; paths absolute, nested plugins as instances
        self.options = options


class Dataset(Plugin):
    """Which rows the model learns from."""

    kind = "dataset"

    def rows(self) -> Sequence[Row]:
        """The distinct rows. Raises `BenchspecError` for data that cannot be used, naming file and row."""
        raise NotImplementedError

    def order(self) -> Any:
        """An integer array: which row stands at each place, so that rows may repeat. None: each row once, in order."""
        return None

    def size(self) -> int | None:
        """How many rows there are, repeats counted, if that is known without reading them."""
        return None

    def identity(self) -> str | None:
        """A string that changes whenever the rows do, for rows that are costly to read; prepared tokens are reused
        while it stays the same. None: the rows are read again in each run."""
        return None


class Model(Plugin):
    """Which network, with which tokenizer and weights."""

    kind = "model"
    #: class names of the blocks that a backend shards by; empty where `transformers` knows them
    blocks: Sequence[str] = ()

    def shape(self) -> Shape | None:
        """The network's dimensions, without importing torch; None where they cannot be known before it is built."""
        return None

    def tokenizer(self) -> Any:
        """A `transformers` tokenizer with an end-of-sequence token."""
        raise NotImplementedError

    def build(self) -> Any:
        """The `torch.nn.Module`, every parameter float32; torch is seeded with the case's seed.

        It is called inside the backend's `building()`: under fsdp, ranks other than 0 build on the meta device, and
        under ZeRO-3 each parameter is split up as soon as it exists. So read shapes here, never values.
        """
        raise NotImplementedError


class Method(Plugin):
    """Which parameters learn."""

    kind = "method"

    def apply(self, model: Any) -> Any:
        """The model to train, made of `model`; parameters that do not learn have `requires_grad` False.

        It is called after `Backend.building()` has ended, torch seeded with the case's seed anew. Under fsdp and
        ZeRO-3 a rank may hold none of the values: read shapes only.
        """
        raise NotImplementedError

    def share(self, shape: Shape) -> Share | None:
        """How much of a model of this shape learns, for model FLOPs utilisation; None: not known, and no MFU."""
        return None


class Backend(Plugin):
    """How a model is spread over processes.

    A backend has two ways to serve a recipe, and may have either or both. For recipes on `transformers.Trainer` it
    overrides `arguments` and `trainer` as needed; for recipes with a loop of their own it overrides `spread`. One that
    overrides `spread` and neither of the others serves the second only. `plan` refuses a recipe that needs the other.
    """

    kind = "backend"
    #: the only number of processes that it runs on; None: any, one included
    processes: ClassVar[int | None] = None

    @classmethod
    def dialects(cls) -> set[str]:
        """Which recipes it serves, by their `drives`: "trainer", "engine" or both; not to be overridden."""
        own_loop = cls.spread is not Backend.spread
        on_trainer = cls.arguments is not Backend.arguments or cls.trainer is not Backend.trainer
        return {name for name, has in (("trainer", on_trainer or not own_loop), ("engine", own_loop)) if has}

    def arguments(self) -> dict[str, Any]:
        """What to add to the recipe's `transformers.TrainingArguments`."""
        return {}

    def trainer(self, cls: type) -> type:
        """The `Trainer` class to use in place of `cls`: `cls` itself, or a subclass of it."""
        return cls

    def spread(self, model: Any, optimizer: Callable[[Any], Any], train: Mapping[str, Any]) -> Engine:
        """Spread a model over the processes, for a recipe with a training loop of its own.

        `model` is the network in training mode, wherever it was built. This moves it to the rank's device, makes the
        process group where there are several ranks and no group yet, and wraps the model or changes it in place: from
        then on `job.model`'s parameters are those that learn. `optimizer(network)` returns a `torch.optim.Optimizer`;
        it is called once, with the network itself and never with a wrapper, when the parameters are final. `train`
        holds the fields of the case's `train`.
        """
        raise NotImplementedError

    def building(self) -> AbstractContextManager[Any]:
        """A context around `Model.build`."""
        return nullcontext()

    def prove(self, model: Any) -> dict[str, Any]:
        """Evidence that the model is spread as asked; raises `RuntimeError` where it is not.

        `model` is what the recipe's `train` returned: Trainer's `model_wrapped`, or `Engine.module`. The evidence,
        plain JSON values, is kept with the result.
        """
        raise NotImplementedError

    def local(self, parameter: Any) -> Any:
        """This rank's part of a parameter, a tensor: the parameter itself, unless the backend splits it up."""
        return parameter

    def numel(self, parameter: Any) -> int:
        """Elements of the whole parameter, all ranks' parts together."""
        return int(parameter.numel())


class Job(Protocol):
    """What a recipe is given: one rank of one case, ready to train."""

    #: every field of the case with every value; `case.train` is a mapping
    case: Case
    #: the network, built and not spread yet, in training or evaluation mode. The backend decides where it is: on the
    #: rank's accelerator, on the CPU, or under fsdp on ranks other than 0 without any values, on torch's meta device
    model: Any
    #: its tokenizer, with an end-of-sequence token
    tokenizer: Any
    #: the rows in order, each row once an epoch: `data[i]` is a mapping `{"input_ids": int32 array, "prompt": int}`;
    #: the array is a read-only view of a file, and `prompt` counts the first tokens of `input_ids`, which are not
    #: learnt. A map-style dataset for `torch.utils.data.DataLoader`
    data: Any
    backend: Backend
    #: this attempt's folder, for checkpoints
    folder: Path
    #: this process's number, from 0
    rank: int
    #: how many processes there are
    world: int
    #: the `torch.device` that this rank computes on
    device: Any

    def collate(self, rows: Sequence[Any]) -> dict[str, Any]:
        """A batch of some of `data`'s rows: CPU tensors `input_ids`, `attention_mask` and `labels`, each int64 of
        shape (rows, longest row), padded on the right. A label of -100 is not learnt: prompt and padding."""

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
        """Report an optimizer step, on every rank, inside `phase("train")`.

        The counts are this rank's: rows, tokens without padding, tokens with it, labelled tokens. `loss` is the mean
        over the labelled tokens of all ranks, `grad_norm` the norm before clipping, both plain numbers. The answer is
        the same on every rank; False means: stop, enough is known.
        """


class Recipe(Plugin):
    """How the training loop runs."""

    kind = "recipe"
    #: what it trains with: "trainer", `transformers.Trainer`, or "engine", what `Backend.spread` returns
    drives: ClassVar[str] = "trainer"
    #: prompt templates, `str.format` strings over a row's fields, for rows with and without an input
    templates: Mapping[str, str] = {
        "with_input": "{instruction}\n{input}\n",
        "without_input": "{instruction}\n",
    }

    def train(self, job: Job) -> Any:
        """Train `job.model` on `job.data`; return what `Backend.prove` is shown.

        That is Trainer's `model_wrapped`, the engine's `module`, or None for `job.model` itself.
        """
        raise NotImplementedError

    def steps(self, rows: int, train: Mapping[str, Any], ranks: int) -> int | None:
        """Optimizer steps of a whole training on so many rows and ranks; None where that is not known beforehand."""
        return None


class Handle:
    """A process group that was started; anything with the same attribute and methods will do."""

    #: what a later process needs to `attach` to the group
    id: str

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        raise NotImplementedError

    def stop(self) -> None:
        """End every process of the group, and return when none is left; harmless where it has ended."""
        raise NotImplementedError

    def waiting(self) -> bool:
        """Whether it still waits for its turn, in a scheduler's queue: no time limit runs yet."""
        return False


class Launcher(Plugin):
    """How processes start."""

    kind = "launcher"
    #: how many cases may run at the same time
    parallel: int = 1

    def settle(self, facts: Facts, only: int | None) -> Mapping[str, Any]:
        """The options with those decided that depend on the machine, such as `processes: auto`.

        `only` is the one number of processes that the case's backend runs on, or None.
        """
        return self.options

    def processes(self) -> int:
        """How many processes it starts, on all hosts together."""
        return int(self.options.get("processes", 1))

    def hosts(self) -> int:
        """On how many hosts."""
        return 1

    def start(self, case_dir: Path) -> Handle:
        """Start `python -m benchspec.worker CASE_DIR` once a rank, with the environment that torchrun sets.

        That is `RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `LOCAL_WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT`, and
        `BENCHSPEC_CASE_DIR`, the folder. Output is appended to stdout.log and stderr.log in the folder. The backend or
        the recipe makes torch's process group, never the launcher.
        """
        raise NotImplementedError

    def attach(self, id: str) -> Handle:
        """The handle of a group that an earlier process started, also of one that has ended."""
        raise NotImplementedError

    def deaths(self, case_dir: Path) -> Mapping[int, int]:
        """Ranks that ended without finishing, and their exit codes, the first to end first.

        A negative code is a signal, as in `subprocess`. It is asked once the group has ended.
        """
        return {}


class Hardware(Plugin):
    """What the machine is."""

    kind = "hardware"

    def facts(self) -> Facts:
        """Accelerators, memory, dense peak FLOP/s, bandwidths and price, each with its source or None."""
        raise NotImplementedError


class Reporter(Plugin):
    """How results are shown; `benchspec.reports` has the tables as values, for reporters of anybody."""

    kind = "reporter"
    #: of the file that the report is kept in, e.g. ".md"
    suffix: str = ".txt"
    #: whether `run` and `report` print it; otherwise it is only kept in the run directory
    printed: bool = True

    def render(self, results: Results) -> str:
        """The whole report of a sequence of `Result`s, with `run` and `name`; an empty text is not shown nor kept."""
        raise NotImplementedError

    def files(self, results: Results) -> Mapping[str, bytes]:
        """Further files, by their paths in the run directory."""
        return {}


#: the base class of each kind, by its name in specs
KINDS: Mapping[str, type[Plugin]] = {
    base.kind: base for base in (Dataset, Model, Method, Recipe, Backend, Launcher, Hardware, Reporter)
}
#: the kinds that are fields of a case; the others belong to the run
CASE_KINDS = ("model", "dataset", "method", "recipe", "backend", "launcher")
#: the other fields of a case, mappings of settings
SECTIONS = ("train", "measure", "limits")
