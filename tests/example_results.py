"""Results as a run would leave them, for tests of reports."""

from benchspec.results import Result, Results

GIB = 2**30
RUN = {
    "name": "xe9680",
    "hardware": "cpu",
    "machine_line": "no accelerator; 1 × Xeon; benchspec 0.1.0",
    "experiments": {"sizes": {"title": "Fine-tuning time by model size (Figure 6)"}},
}
FIGURE_6 = {"source": "Fauber and Patel 2023, Figure 6", "hardware": "xe9680-h100", "metric": "train_runtime"}
OPT_6_7B = {
    "train_runtime": 841.7,
    "rows_per_second": 185.31,
    "tokens_per_second": 21366.2,
    "step_time_p50": 1.3812,
    "mfu": 0.1042,
    "peak_memory_allocated": int(40.5 * GIB),
    "host_peak_memory": 9 * GIB,
    "final_loss": 0.92345,
}


def result(model="opt-6.7b", metrics=OPT_6_7B, **fields):
    """A result that is ok, but for what `fields` says."""
    usual = {"attempt": "1", "experiment": "sizes", "axes": {"model": model}, "outcome": "ok"}
    return Result(**{"case": f"{model}-1f9c2a", **usual, "metrics": metrics, "started": 1.0, "finished": 2.0, **fields})


def oom(**fields):
    ending = {
        "outcome": "oom",
        "phase": "first-step",
        "rank": 3,
        "reason": "CUDA out of memory. Tried to allocate 2 GiB",
    }
    return result("opt-30b", **{"metrics": {"wall_time": 60.0}, **ending, **fields})


KINDS = ("value", "below", "above", "between", "outcome", "ordering", "slope")


def published(**fields):
    """What was published of a case, such as `value=900` or `below=600` minutes of Figure 6."""
    (kind,) = set(fields) & set(KINDS)
    value = fields.pop(kind)
    usual = {"kind": kind, "published": value, "tolerance": 0.1, "where": {}, "given": {}, "by": None, "per": None}
    return {**FIGURE_6, **usual, **({"metric": None} if kind == "outcome" else {}), **fields}


def statement(of, *cases):
    """What `published` returned, as a statement of results."""
    mine = [{"case": each.case, "at": next(iter(each.axes.values()), None), "differences": []} for each in cases]
    where = {**of["where"], **(cases[0].axes if len(cases) == 1 else {})}
    return {**of, "where": where, "experiment": cases[0].experiment, "named": True, "cases": mine}


def results(*cases, statements=(), **run):
    """The results of a run; a case is a result, or a tuple of one and what was published of it."""
    pairs = [case if isinstance(case, tuple) else (case,) for case in cases]
    known = [*statements, *(statement(value, first) for first, *values in pairs for value in values)]
    return Results([pair[0] for pair in pairs], {**RUN, "statements": known, **run})
