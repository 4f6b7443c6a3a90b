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

Each method's docstring says what it must return. Required methods, those marked `@abstractmethod`, must be written; the
others have a default.

Mistakes are found when a plugin is loaded, as far as they can be: a hook that returns no list, a required method that
is missing, a `default` that its own schema refuses. `benchspec plugins` then lists what did not load and exits with 1,
and a spec that needs it gets the same reason. An exception of a plugin is reported with its file and line, and so is a
method that returns something else than its docstring says. To refuse options or data in your own words, raise
`PluginError` or `BenchspecError`: its message is shown as it is.

Import torch, transformers and other large libraries inside the method that needs them: every command imports every
plugin module. `validate` and `plan` create all of a case's plugins to check their options, in a process that may have
no torch. Each rank of a case creates its own instances, except launcher, hardware and reporters, which exist only in
the process that runs the cases.
'''

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from benchspec.kinds.engine import Engine
from benchspec.kinds.values import End, Facts, Row, Shape, Share

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchspec.cases.case import Case
    from benchspec.results.results import Results


class Plugin:
    """The base class of all kinds; a plugin subclasses the base class of its kind."""

    #: the kind, as specs and messages call it; set by each base class
    kind: ClassVar[str]
    #: the class's name in specs
    name: ClassVar[str]
    #: a JSON-schema fragment for an object: `properties` and `required`; unknown options are errors. `default`s are
    #: filled in. A string of `"format": "path"` arrives as an absolute path; one of `"path-or-hub"` does so if the
    #: path exists. `{"$ref": "#/$defs/dataset"}`, or another kind's name, is an option that is itself a plugin: it
    #: arrives as an instance.
    options_schema: ClassVar[Mapping[str, Any]] = {}
    #: further names in specs, each for this class with some options set: name -> options
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    #: what to write in a spec for something that has no name here, such as `{name: hf, path: NAME}`, for the message
    #: about an unknown name; one with NAME is shown only if the name looks like a folder's or one on the hub
    instead: ClassVar[str] = ""

    def __init__(self, options: Mapping[str, Any]):
        """Keep the options; raise `PluginError` for an invalid combination, which `validate` then reports."""
        #: every option that the spec gives or that has a `default`; paths absolute, nested plugins as instances
        self.options = options

    def missing(self, online: bool) -> Sequence[str]:
        """What these options need and this machine does not have, one line each, such as a file or a compiler.

        `validate` and `plan` warn of it; `run` refuses to start, and asks once more with `online` set, for what the
        network could bring. Without `online`, look at this machine only, and import nothing large.
        """
        return ()


class Dataset(Plugin):
    """The rows that the model is trained on."""

    kind = "dataset"

    @abstractmethod
    def rows(self) -> Sequence[Row]:
        """The distinct rows. Raises `BenchspecError` with file and row for unusable data."""
        raise NotImplementedError

    def order(self) -> Any:
        """The training order: an integer array of indices into `rows()`; they may repeat. None: each row once."""
        return None

    def size(self) -> int | None:
        """The number of rows, repeats included; None if it is not known without reading them."""
        return None

    def identity(self) -> str | None:
        """A string that changes whenever the rows change, for rows that are slow to read: while it stays the same,
        tokens from earlier runs are reused. None: the rows are read again in each run."""
        return None

    def progress(self, done: int, total: int) -> None:
        """Call this from `rows` every few seconds if rows take long to make: it shows how many there are, of how many,
        and that the case does not stand still. Do not override it: benchspec does while a case runs."""


class Model(Plugin):
    """The network, its tokenizer and its weights."""

    kind = "model"
    #: class names of the blocks that a backend shards by; empty if `transformers` knows them
    blocks: Sequence[str] = ()

    def shape(self) -> Shape | None:
        """The network's dimensions, without importing torch; None if they are not known before it is built."""
        return None

    @abstractmethod
    def tokenizer(self) -> Any:
        """A `transformers` tokenizer with an end-of-sequence token."""
        raise NotImplementedError

    @abstractmethod
    def build(self) -> Any:
        """The `torch.nn.Module`, with every parameter float32. Before the call, torch is seeded with the case's seed.

        The call happens inside the backend's `building()`: under fsdp, ranks other than 0 build on the meta device,
        and under ZeRO-3 each parameter is sharded as soon as it is created. So read shapes here, never values.
        """
        raise NotImplementedError


class Method(Plugin):
    """Which parameters are trained."""

    kind = "method"
    #: whether there is any training; without it, a case only asks the model (`query`)
    trains: ClassVar[bool] = True
    #: whether `load` can read what a recipe saves in `final`; without that, there can be no `query` after training
    loads: ClassVar[bool] = True

    @abstractmethod
    def apply(self, model: Any) -> Any:
        """The model to train: `model` itself or a wrapper of it; frozen parameters have `requires_grad` False.

        The call happens after `Backend.building()`, with torch seeded again with the case's seed. Under fsdp and
        ZeRO-3 a rank may hold no values, so read shapes only.
        """
        raise NotImplementedError

    def share(self, shape: Shape) -> Share | None:
        """How much of a model of this shape is trained, to compute MFU; None: not known, so no MFU is reported."""
        return None

    def load(self, folder: str, dtype: Any) -> Any:
        """The trained model, as its users would load it from a folder that a recipe has saved; `dtype` is torch's.

        By default, the folder holds a whole model of `transformers`. Raise `BenchspecError` if it is not complete.
        """
        from benchspec.kinds.checkpoints import load_whole

        return load_whole(folder, dtype)


class Backend(Plugin):
    """How a model is distributed over processes.

    A backend supports one or both kinds of recipe. For recipes on `transformers.Trainer` it overrides `arguments` and
    `trainer` as needed; for recipes with their own training loop it overrides `spread`. A backend that overrides only
    `spread` does not support Trainer recipes. `plan` reports an error if recipe and backend do not fit together.
    """

    kind = "backend"
    #: the only number of processes that it supports; None: any number, including one
    processes: ClassVar[int | None] = None
    #: the values of `train.optimizer` that it supports; None: any
    optimizers: Collection[str] | None = None

    @classmethod
    def dialects(cls) -> set[str]:
        """The values of `Recipe.drives` that it supports: "trainer", "engine" or both. Do not override this."""
        own_loop = cls.spread is not Backend.spread
        on_trainer = cls.arguments is not Backend.arguments or cls.trainer is not Backend.trainer
        return {name for name, has in (("trainer", on_trainer or not own_loop), ("engine", own_loop)) if has}

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments to add to the recipe's `transformers.TrainingArguments`."""
        return {}

    def trainer(self, cls: type) -> type:
        """The `Trainer` class to use in place of `cls`: `cls` itself, or a subclass of it."""
        return cls

    def spread(self, model: Any, optimizer: Callable[[Any], Any], train: Mapping[str, Any]) -> Engine:
        """Distribute a model over the processes, for a recipe with its own training loop.

        `model` is the network in training mode, on whichever device it was built. This method moves it to the rank's
        device, creates the process group if there are several ranks and no group yet, and wraps the model or changes
        it in place. Afterwards `job.model`'s parameters are the trained ones. `optimizer(network)` returns a
        `torch.optim.Optimizer`; call it once, when the parameters are final, with the network itself and not with a
        wrapper. `train` holds the fields of the case's `train`.
        """
        raise NotImplementedError

    def building(self) -> AbstractContextManager[Any]:
        """A context around `Model.build`."""
        return nullcontext()

    @abstractmethod
    def prove(self, model: Any) -> dict[str, Any]:
        """Evidence that the model is distributed as configured; raises `RuntimeError` if it is not.

        `model` is the return value of the recipe's `train`: Trainer's `model_wrapped`, or `Engine.module`. The
        evidence, plain JSON values by name, is saved with the result; what benchspec proves itself under the same name,
        such as `dtype`, stays as it is.
        """
        raise NotImplementedError

    def local(self, parameter: Any) -> Any:
        """This rank's shard of a parameter, as a tensor: the parameter itself, unless the backend shards it."""
        return parameter

    def numel(self, parameter: Any) -> int:
        """The number of elements of the whole parameter, over all ranks."""
        return int(parameter.numel())


class Job(Protocol):
    """One rank of one case, ready to train: the argument of `Recipe.train`."""

    #: the case, with every field filled in; `case.train` is a mapping
    case: Case
    #: the network, built and not distributed yet, in training or evaluation mode. The backend decides where it is: on
    #: the rank's accelerator, on the CPU, or (under fsdp, on ranks other than 0) on torch's meta device, without values
    model: Any
    #: its tokenizer, with an end-of-sequence token
    tokenizer: Any
    #: the rows of one epoch in order, a map-style dataset for `torch.utils.data.DataLoader`. `data[i]` is a mapping
    #: `{"input_ids": int32 array, "prompt": int}`: the array is a read-only view of a file, and `prompt` is the number
    #: of prompt tokens at the start of `input_ids`, which the loss leaves out
    data: Any
    backend: Backend
    #: this attempt's folder, for checkpoints
    folder: Path
    #: this process's number, from 0
    rank: int
    #: the number of processes
    world: int
    #: the `torch.device` that this rank computes on
    device: Any

    def collate(self, rows: Sequence[Any]) -> dict[str, Any]:
        """A batch of rows of `data`: CPU tensors `input_ids`, `attention_mask` and `labels`, each int64 of shape
        (rows, longest row), padded on the right. Prompt and padding have the label -100, which the loss ignores."""

    def phase(self, name: str) -> AbstractContextManager[None]:
        """A context for the phase `shard`, `train` or `save`; enter `train` once the model is distributed.

        `save` may lie within `train`: its time is then part of the training's, but of no step.
        """

    def save_due(self, step: int) -> bool:
        """Whether to save a checkpoint after this optimizer step, counted from 1; ask once a step, on every rank.

        True after every `train.save.every` steps, and once earlier where a sampled measurement must learn what a
        checkpoint takes; it does not stop a recipe that never asks before the first checkpoint that this saves.
        """

    def step(
        self,
        rows: int,
        tokens: int,
        padded_tokens: int,
        loss_tokens: int,
        loss: float,
        grad_norm: float | None,
        *,
        block_tokens: int | None = None,
        head_tokens: int | None = None,
    ) -> bool:
        """Report an optimizer step; call this on every rank, inside `phase("train")`.

        The counts are this rank's: rows, tokens without padding, tokens with padding, labelled tokens; plain integers.
        `block_tokens` and `head_tokens` are those that went through the network's blocks and its head, by default all
        of `padded_tokens`.
        `loss` is the mean over the labelled tokens of all ranks, `grad_norm` the norm before clipping, both plain
        numbers. Returns whether to continue training, the same value on every rank.

        A report that cannot be right makes the case a `crash`: more rows over all ranks than `batch_size` x
        `gradient_accumulation` x ranks, more tokens than fit these rows, or not as many steps as `Recipe.steps` says.
        """


class Recipe(Plugin):
    """How the training loop runs."""

    kind = "recipe"
    #: what it trains with: "trainer" for `transformers.Trainer`, "engine" for what `Backend.spread` returns
    drives: ClassVar[str] = "trainer"
    #: whether an optimizer step has other numbers of rows than `train` says, as where a micro-batch is packed
    rows_vary: bool = False
    #: prompt templates for rows with and without an input: `str.format` strings over {instruction}
    #: and {input}
    templates: Mapping[str, str] = {
        "with_input": "{instruction}\n{input}\n",
        "without_input": "{instruction}\n",
    }

    @abstractmethod
    def train(self, job: Job) -> Any:
        """Train `job.model` on `job.data`; return the trained model, which is passed to `Backend.prove`.

        Return Trainer's `model_wrapped`, the engine's `module`, or None for `job.model` itself.
        """
        raise NotImplementedError

    def steps(self, rows: int, train: Mapping[str, Any], ranks: int) -> int | None:
        """The optimizer steps of a whole training on this many rows and ranks; None if not known in advance."""
        return None

    def workload(self, lengths: Any, train: Mapping[str, Any], ranks: int) -> Any:
        """What the slowest rank computes in each optimizer step of a whole training, step after step.

        An array of `steps(…)` numbers to which a step's time is roughly proportional, such as tokens with padding;
        `lengths` is an array with the tokens of each row, in the order of `job.data`. A sampled measurement projects
        the time of the steps that it leaves out from it. None, the default: not known; all steps then count as alike.
        It is also asked with each row's labelled tokens in the place of all its tokens, to find steps of which no row
        has an answer: the work of these must be 0, and of no others.
        """
        return None


class Handle:
    """A started process group. Any object with the same attribute and methods works; subclassing is not needed."""

    #: identifies the group, so that a later process can `attach` to it
    id: str
    #: whether the group goes on without benchspec, as a scheduler's job does: a hang-up then leaves it running
    lasting: ClassVar[bool] = False
    #: how it was started otherwise than asked, and why, for the result's warnings; None: as asked
    remark: str | None = None
    #: seconds that `start` took for what later cases need too, such as importing; no part of the case's time
    prepared: float = 0.0

    def poll(self) -> int | None:
        """The exit code, or None while the group runs."""
        raise NotImplementedError

    def stop(self) -> None:
        """Kill every process of the group, and return when none is left; does nothing if the group has ended."""
        raise NotImplementedError

    def waiting(self) -> bool:
        """Whether it is still waiting, as in a scheduler's queue; its time limit starts afterwards."""
        return False


class Launcher(Plugin):
    """How processes are started."""

    kind = "launcher"
    #: how many cases may run at the same time
    parallel: int = 1
    #: whether processes run on other machines than the one that benchspec is started on, as with a scheduler. They
    #: describe themselves then: `start` also runs `python -m benchspec.running.there CASE_DIR` on one of them
    elsewhere: ClassVar[bool] = False

    def settle(self, facts: Facts, only: int | None) -> Mapping[str, Any]:
        """The options, with a value in place of each one that depends on the machine, such as `processes: auto`.

        `only` is the single number of processes that the case's backend supports, or None.
        """
        return self.options

    def processes(self) -> int:
        """The number of processes, over all hosts."""
        return int(self.options.get("processes", 1))

    def hosts(self) -> int:
        """The number of hosts."""
        return 1

    @abstractmethod
    def start(self, case_dir: Path) -> Handle:
        """Start `python -m benchspec.worker CASE_DIR` once per rank, with the environment that torchrun sets.

        That is `RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `LOCAL_WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT`, and also
        `BENCHSPEC_CASE_DIR`, set to the folder. Append output to stdout.log and stderr.log in the folder. Do not
        create torch's process group: the backend or the recipe does.
        """
        raise NotImplementedError

    @abstractmethod
    def attach(self, id: str) -> Handle:
        """The handle of a group that an earlier process started; the group may have ended."""
        raise NotImplementedError

    def deaths(self, case_dir: Path) -> Mapping[int, int]:
        """The ranks that ended without finishing and their exit codes, in the order in which they ended.

        A negative code is a signal, as in `subprocess`. Called once the group has ended.
        """
        return {}

    def end(self, case_dir: Path) -> End | None:
        """How a case ended that is over, if a scheduler knows better than its processes; None otherwise.

        It counts unless the processes have finished, or have reported more than a crash.
        """
        return None


class Hardware(Plugin):
    '''The machine's figures.

    The smallest one, for `hardware: our-server` in a spec:

        class OurServer(Hardware):
            """Our server: four of Acme's accelerators."""

            name = "our-server"

            def facts(self):
                sheet = "Acme A1 data sheet, 2026"
                return Facts(
                    accelerator="Acme A1",
                    accelerators=4,
                    memory=Fact(80 * 2**30, sheet),
                    peak={"bf16": Fact(1e15, sheet)},
                )
    '''

    kind = "hardware"

    @abstractmethod
    def facts(self) -> Facts:
        """Accelerators, memory, dense peak FLOP/s, bandwidths and price, each with its source, or None if unknown."""
        raise NotImplementedError


class Reporter(Plugin):
    """How results are shown. `benchspec.reports` provides the tables of a report as values."""

    kind = "reporter"
    #: the suffix of the file that the report is saved in, e.g. ".md"
    suffix: str = ".txt"
    #: whether `run` and `report` print it; otherwise it is only saved in the run directory
    printed: bool = True

    @abstractmethod
    def render(self, results: Results) -> str:
        """The text of the report; empty: nothing is printed or saved. `results` is a sequence of `Result`s."""
        raise NotImplementedError

    def files(self, results: Results) -> Mapping[str, bytes]:
        """Further files to save: path in the run directory -> content."""
        return {}


#: the base class of each kind, by its name in specs
KINDS: Mapping[str, type[Plugin]] = {
    base.kind: base for base in (Dataset, Model, Method, Recipe, Backend, Launcher, Hardware, Reporter)
}
#: the kinds that are fields of a case; the others belong to the run
CASE_KINDS = ("model", "dataset", "method", "recipe", "backend", "launcher")
#: the other fields of a case that say what it is: mappings of settings
SECTIONS = ("train", "measure", "query", "limits")
#: every field of a case; `repeats` says how often it is launched
FIELDS = (*CASE_KINDS, *SECTIONS, "repeats")
