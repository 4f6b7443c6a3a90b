"""The evidence of an attempt -> its `Result`, a line of the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchspec.cases.case import Case, Launch
from benchspec.kinds.values import Facts
from benchspec.machine import others
from benchspec.results import reduce
from benchspec.results.events import Event
from benchspec.results.evidence import Evidence
from benchspec.results.result import Result
from benchspec.results.steps import Ranks, of_kind
from benchspec.running.ending import Ending
from benchspec.running.when import When
from benchspec.terms import schemas, strict
from benchspec.terms.harmless import shortened
from benchspec.terms.layout import RECORD


def record(launch: Launch, attempt: Path, evidence: Evidence, ending: Ending, facts: Facts, ran: When) -> Result:
    """The result of a launch that ran then."""
    case = launch.case
    # Where one event cannot be used, a metric of the others would be wrong.
    ranks = {} if evidence.unusable else evidence.ranks
    reduced = reduce.reduce(
        ranks,
        evidence.steps if ranks else (),
        case.train,
        warmup_steps=case.measure["warmup_steps"],
        facts=facts,
        wall_time=ran.seconds,
    )
    kept = _kept(attempt)
    beside = [others.sentence(kept["others"])] if kept.get("others") else []
    remark = [shortened(kept["remark"])] if kept.get("remark") else []
    return Result(
        case=case.id,
        attempt=attempt.name,
        launch=launch.number,
        experiment=case.experiment,
        axes=case.axes,
        outcome=ending.outcome,
        phase=ending.phase,
        rank=ending.rank,
        reason=ending.reason and shortened(ending.reason),
        metrics=reduced.metrics,
        basis=reduced.basis,
        currency=facts.currency,
        intervals=reduced.intervals,
        proof=_proof(ranks),
        answers=[answer for batch in of_kind(ranks, "answers") for answer in batch["answers"]],
        record={**kept, "data": _data(ranks), **_ceilings(ranks)},
        started=ran.started,
        finished=ran.finished,
        warnings=[
            *remark,
            *beside,
            *evidence.passed_over,
            *warnings_of_ranks(ranks),
            *_ran_whole(case, ending, reduced),
            *_beyond_peak(ranks, facts),
        ],
        log=[shortened(line) for line in ending.log],
    )


def _ran_whole(case: Case, ending: Ending, reduced: reduce.Reduced) -> list[str]:
    """That every step of a sampled measurement ran."""
    if case.sampled_to is None or ending.outcome != "ok" or reduced.basis or not reduced.metrics.get("steps"):
        return []
    return [f"every step ran, and none is projected: its time was not known to {100 * case.sampled_to:.3g}% before"]


def _beyond_peak(ranks: Ranks, facts: Facts) -> list[str]:
    """Published peaks that a measured product exceeds: they are another device's, or another clock's."""
    found = [
        (precision, max(event[precision] for event in of_kind(ranks, "ceilings") if event[precision]), peak.value)
        for precision, peak in facts.peak.items()
        if any(event[precision] for event in of_kind(ranks, "ceilings"))
    ]
    return [
        f"{precision}: {measured / 1e12:.4g} TFLOP/s were measured, more than the peak of {published / 1e12:.4g} "
        "that MFU is taken of; is it another device's?"
        for precision, measured, published in found
        if measured > published
    ]


def _kept(attempt: Path) -> dict[str, Any]:
    """What was recorded when the attempt was started; empty if it cannot be used, or an earlier version started it."""
    try:
        found = strict.parse((attempt / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    # What does not follow the schema could be written to the journal, but not read again.
    schema = schemas.load("result")
    check = schemas.validator({**schema["properties"]["record"], "$defs": schema["$defs"]})
    return {} if schemas.violation(check, found) else dict(found)


def _data(ranks: Mapping[int, Sequence[Event]]) -> dict[str, Any]:
    """The data as the first rank that has them describes them; all ranks have the same."""
    found = next(of_kind(ranks, "data"), {})
    return {key: found.get(key) for key in ("fingerprint", "identity")}


def _ceilings(ranks: Ranks) -> dict[str, Any]:
    """What each rank measured that its device can do; absent where none did."""
    found = [{name: event[name] for name in CEILINGS} for event in of_kind(ranks, "ceilings")]
    return {"ceilings": found} if found else {}


#: what a device can do at most
CEILINGS = ("fp32", "tf32", "bf16", "memory_bandwidth", "host_to_device", "all_reduce", "all_gather")


def warnings_of_ranks(ranks: Ranks) -> list[str]:
    """What the ranks warn of in the data and in the model, each warning once: all ranks have the same."""
    found = [*of_kind(ranks, "data"), *of_kind(ranks, "model")]
    return list(dict.fromkeys(shortened(str(event["warning"])) for event in found if event.get("warning")))


def _proof(ranks: Mapping[int, Sequence[Event]]) -> dict[str, Any]:
    """Rank 0's proof; a rank cannot finish without one."""
    proofs = [event for event in ranks.get(0, []) if event["event"] == "proof"]
    return {key: value for key, value in proofs[-1].items() if key not in ("event", "time", "clock")} if proofs else {}
