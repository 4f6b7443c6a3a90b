"""The phases of a case in order: start, data, build, then the recipe's phases and the proof, then the query."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from benchspec.cases.case import read_case
from benchspec.kinds import checkpoints
from benchspec.kinds.bases import CASE_KINDS, Backend, Dataset, Method, Model, Recipe
from benchspec.kinds.faults import whole, wrong
from benchspec.kinds.registry import Registry
from benchspec.machine import ceilings
from benchspec.machine.cache import cache_folder
from benchspec.results import events
from benchspec.terms import layout
from benchspec.terms.errors import BenchspecError
from benchspec.worker import answering, chosen, device, network, profiling, proof, query, sampling
from benchspec.worker.farewell import PATIENCE, leave_group
from benchspec.worker.rank import Rank


def run(job: Rank) -> None:
    """Run a case, phase by phase."""
    with job.within("start"):
        job.case, invocation, _, profiled = read_case(job.folder)
        registry = Registry.load()
        job.packages = registry.packages
        plugins = {kind: registry.create(kind, job.case.fields[kind]) for kind in CASE_KINDS}
        job.backend = cast(Backend, plugins["backend"])
        job.device = device.choose()
        if job.device.type == "cuda":
            _record_device(job)
        if profiled:
            job.profiler = profiling.Profiler(job.folder, job.rank, job.device)
    model, method = cast(Model, plugins["model"]), cast(Method, plugins["method"])
    recipe = cast(Recipe, plugins["recipe"])
    if not method.trains:
        if job.rank == 0:
            _ask_untrained(job, model, method)
        return
    with job.within("data"):
        job.tokenizer = _tokenizer(model)
        job.data, steps = _prepared(job, cast(Dataset, plugins["dataset"]), recipe, invocation)
        if job.case.query is not None:
            answering.check(job, model, recipe.templates)
        job.sampler = _sampler(job, recipe, steps)
    with job.within("build"):
        job.model = network.build(job, model, method)
    _train(job, recipe)
    if job.case.query is not None:
        # The others wait while rank 0 still writes what was saved.
        leave_group(job, PATIENCE)
        if job.rank == 0:
            query.begin(job)


def _train(job: Rank, recipe: Recipe) -> None:
    """Train, and prove it."""
    optimizers, asked = chosen.Optimizers(), job.case
    if asked.query is not None:
        # What is asked is what was saved.
        save = asked.train["save"] or {"every": None, "keep": None}
        job.case = replace(asked, train={**asked.train, "save": {**save, "final": True}})
    trained = recipe.train(job)
    job.case = asked
    _prove(job, job.model if trained is None else trained, optimizers)
    if asked.measure.get("ceilings"):
        _measure_ceilings(job)


def _measure_ceilings(job: Rank) -> None:
    """Write the event `ceilings`; the products are of the shapes of the model's feed-forward network."""
    train = job.case.train
    hidden, ffn = (job.shape.hidden, job.shape.ffn) if job.shape else (UNKNOWN_WIDTH, UNKNOWN_WIDTH)
    tokens = min(MOST_TOKENS, train["batch_size"] * train["max_length"])
    device.free_memory()
    # First what all ranks do together, so that they then measure at the same time.
    links = ceilings.collectives(job.device)
    job.log.add("ceilings", **ceilings.measure(job.device, tokens, hidden, ffn), **links)


#: columns of a matrix product where a model's shape is not known, and the most rows of any
UNKNOWN_WIDTH, MOST_TOKENS = 2048, 8192


def _ask_untrained(job: Rank, model: Model, method: Method) -> None:
    """Build the network and ask it: this process is as fresh as one that loads what another has saved."""
    with job.within("build"):
        tokenizer = _tokenizer(model)
        dtype = answering.dtype_of(job.case.train["precision"])
        job.model = checkpoints.cast(network.build(job, model, method), dtype)
    with job.within("query"):
        answering.ask(job, job.model, tokenizer, templates=None)


def _record_device(job: Rank) -> None:
    """Write the event `device`, and see that no other rank has the same accelerator."""
    job.log.add("device", **device.described(job.device))
    device.check_own(job.rank, {rank: events.read(file) for rank, file in layout.rank_files(job.folder).items()})


def _tokenizer(model: Model) -> Any:
    tokenizer = model.tokenizer()
    if tokenizer is None:
        raise wrong(model.tokenizer, tokenizer, "a tokenizer")
    return tokenizer


def _prepared(job: Rank, dataset: Dataset, recipe: Recipe, invocation: str) -> tuple[Any, int | None]:
    """The token arrays, prepared by whichever process of this host needs them first, and the steps that they give."""
    from benchspec.worker.data import answers
    from benchspec.worker.data.encode import encoder_for
    from benchspec.worker.data.prepare import Request, prepare

    _show_progress(job, dataset)
    request = Request(
        dataset=dataset,
        settings=job.case.dataset,
        encoder=encoder_for(job.tokenizer),
        templates=recipe.templates,
        max_length=job.case.train["max_length"],
    )
    pointers = layout.run_dir(job.folder) / layout.DATA
    tokens = prepare(request, invocation=invocation, pointers=pointers, cache=cache_folder())
    if job.made_rows:
        device.reset_host_peak()
    steps = whole(recipe.steps, recipe.steps(tokens.rows, job.case.train, job.world))
    warnings = _other_size(dataset, tokens.rows), answers.check(tokens, dataset.name, job.case.train["max_length"])
    known = {name: getattr(tokens.prepared, name) for name in _TOLD}
    warning = "; ".join(filter(None, warnings)) or None
    job.log.add("data", **known, warning=warning, planned_steps=steps, rows_vary=recipe.rows_vary)
    return tokens, steps


def _other_size(dataset: Dataset, rows: int) -> str | None:
    """A warning if a data set has not as many rows as its `size` says, by which cases are planned; None if it has."""
    said = whole(dataset.size, dataset.size())
    if said in (None, rows):
        return None
    return f"size() of the data set '{dataset.name}' says {said:,} rows, and there are {rows:,}"


def _sampler(job: Rank, recipe: Recipe, steps: int | None) -> sampling.Sampler | None:
    """What decides when enough is known; None where every step runs, or nobody knows how many there will be."""
    import numpy as np

    if job.case.sampled_to is None or steps is None:
        return None
    work = recipe.workload(job.data.lengths(), job.case.train, job.world)
    if work is None:
        work = np.ones(steps)
    elif not _is_work(work, steps):
        raise wrong(recipe.workload, work, f"an array of {steps} finite numbers from 0, one a step")
    else:
        _check_answers(recipe.workload(job.data.learnt(), job.case.train, job.world))
    save = job.case.train["save"] or {"every": None}
    agree = sampling.agreed(job.world, job.device)
    return sampling.Sampler(work, job.case.sampled_to, save["every"], agree)


def _is_work(work: Any, steps: int) -> bool:
    import numpy as np

    try:
        numbers = np.asarray(work, float)
    except (TypeError, ValueError):
        return False
    return numbers.shape == (steps,) and bool(np.isfinite(numbers).all()) and bool((numbers >= 0).all())


def _check_answers(learnt: Any) -> None:
    """Raise `BenchspecError` if a step that may never run has nothing to learn, which would end a whole training."""
    import numpy as np

    empty = np.flatnonzero(np.asarray(learnt) == 0)
    if len(empty):
        raise BenchspecError(
            f"no row of step {empty[0] + 1} of {len(learnt)} has an answer within train.max_length: the whole training "
            "would end there, since its loss is not finite; set train.max_length higher, or shorten the prompts"
        )


def _show_progress(job: Rank, dataset: Dataset) -> None:
    """Have a data set, and those that it is made of, tell how far they are."""
    with suppress(AttributeError):  # an object that cannot be changed tells nothing
        setattr(dataset, "progress", job.progress)  # noqa: B010
    for option in dataset.options.values():
        if isinstance(option, Dataset):
            _show_progress(job, option)


#: what the event `data` says of the tokens
_TOLD = ("rows", "words", "tokens", "without_answer", "fingerprint", "identity")


def _prove(job: Rank, spread: Any, optimizers: chosen.Optimizers) -> None:
    """Write the event `proof`: the model learned, and the backend distributed it as configured."""
    after = proof.snapshot(job.model, job.backend.local)
    learned = proof.learned(job.steps, job.before, after)
    computed = {"dtype": proof.dtypes(job.model), "arithmetic": job.arithmetic["dtype"], "tf32": job.arithmetic["tf32"]}
    used = chosen.prove(job.model, optimizers, job.case.train, job.case.said.get("train", {}))
    job.log.add("proof", **{**proof.shown(job.backend, spread), **learned, **computed, **used})
