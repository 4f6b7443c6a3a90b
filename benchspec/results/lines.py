"""A line of a rank's file -> an event, checked for what the metrics and the ending of a case need.

A check against `event.schema.json` would take minutes for a million steps. What a newer version adds is let through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from benchspec.kinds.values import COUNTS
from benchspec.terms.harmless import clipped
from benchspec.terms.outcomes import INNER_PHASES, OUTCOMES, PHASES
from benchspec.terms.strict import DEEPEST, is_shallow

Event = Mapping[str, Any]


class Need(NamedTuple):
    """What a field must be."""

    words: str
    holds: Callable[[Any], bool]
    #: whether each event of the kind has the field
    always: bool = True


def parse(line: bytes) -> Event | None:
    """The event in a line; None if the line is none: not JSON, no object, or of no known kind."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    kind = event.get("event") if isinstance(event, dict) else None
    return event if isinstance(kind, str) and kind in _NEEDS else None


def problem(event: Event) -> str | None:
    """The first field of an event that is absent or not what it must be, in words; None if there is none."""
    kind = event["event"]
    for name, need in _NEEDS[kind].items():
        if name not in event:
            if need.always:
                return f"the event '{kind}' has no '{name}'"
        elif not need.holds(event[name]):
            return f"'{name}' of the event '{kind}' is {_shown(event[name])}, not {need.words}"
    if kind == "proof" and not is_shallow(event, _DEEPEST):
        return f"the event 'proof' is nested more than {_DEEPEST} levels deep"
    return None


def whole(text: bytes) -> list[Event]:
    """The events in whole lines; whatever else stands there is left out."""
    return [event for line in text.split(b"\n") if (event := parse(line)) and problem(event) is None]


def _shown(value: Any) -> str:
    """A value in an error message, shortened. A whole number may have too many digits to be shown."""
    if isinstance(value, Mapping | list):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return "a number of more than 64 bits"
    return clipped(repr(value))


#: levels of lists and mappings in the evidence of a backend's `prove`; a line of the journal puts a few around it
_DEEPEST = DEEPEST // 2
#: the smallest whole number that is too large to be a count of anything
_LARGEST = 1 << 63


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _is_number(value: Any) -> bool:
    # The sums of numbers of this size are finite. NaN fails each comparison.
    return type(value) in (int, float) and -1e100 <= value <= 1e100


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e11


_COUNT = Need("a whole number from 0", _is_count)
_FROM_1 = Need("a whole number from 1", lambda value: _is_count(value) and value > 0)
_COUNT_OR_NULL = Need("a whole number from 0 or null", lambda value: value is None or _is_count(value))
_NUMBER_OR_NULL = Need("a finite number or null", lambda value: value is None or _is_number(value))
_NUMBER = Need("a finite number", _is_number)
_RATE_OR_NULL = Need("a number above 0 or null", lambda value: value is None or (_is_number(value) and value > 0))
_NUMBER_FROM_0 = Need("a finite number from 0", lambda value: _is_number(value) and value >= 0)
_PID = Need("the id of a process", lambda value: _is_count(value) and value < 2**31)
_TIME = Need("a time in seconds", _is_time)
_TEXT = Need("a text", lambda value: isinstance(value, str))
_TEXT_OR_NULL = Need("a text or null", lambda value: value is None or isinstance(value, str))
_FLAG = Need("true or false", lambda value: isinstance(value, bool))
_PHASE = Need("a phase", lambda value: isinstance(value, str) and value in (*PHASES, *INNER_PHASES))
_OUTCOME = Need("an outcome", lambda value: isinstance(value, str) and value in OUTCOMES and value != "ok")
_SHAPE = ("layers", "hidden", "parameters", "lookup_parameters")
_SHARE = ("learning", "reached", "layers")
#: counts of a shape or a share that may be absent; earlier versions left out more of them
_OPTIONAL = (*COUNTS, "added")


def _counts(names: Sequence[str]) -> Need:
    """A mapping with these counts, or null."""
    return Need(
        f"a mapping with the counts {', '.join(names)}, or null",
        lambda value: value is None or (isinstance(value, dict) and _are_counts(value, names)),
    )


def _are_counts(value: Mapping[str, Any], names: Sequence[str]) -> bool:
    optional = (name for name in _OPTIONAL if value.get(name) is not None)
    return all(_is_count(value.get(name)) for name in (*names, *optional))


def _is_answer(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"prompt", "text"}:
        return False
    return all(isinstance(text, str) for text in value.values())


def _are_answers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_answer, value))


#: kind of event -> what its fields must be
_NEEDS: Mapping[str, Mapping[str, Need]] = {
    kind: {"time": _TIME, "clock": _TIME._replace(always=False), **fields}
    for kind, fields in {
        "start": {"world": _FROM_1, "pid": _PID._replace(always=False), "host": _TEXT._replace(always=False)},
        "device": {"name": _TEXT, "uuid": _TEXT_OR_NULL, "memory": _COUNT, "mig": _FLAG},
        "begin": {"phase": _PHASE},
        "end": {"phase": _PHASE},
        "progress": {"done": _COUNT, "total": _COUNT},
        "data": {
            **dict.fromkeys(("rows", "words", "tokens"), _COUNT_OR_NULL),
            "planned_steps": _COUNT_OR_NULL,
            "rows_vary": _FLAG._replace(always=False),
            **dict.fromkeys(("fingerprint", "identity", "warning"), _TEXT_OR_NULL._replace(always=False)),
        },
        "model": {
            **dict.fromkeys(("parameters", "trainable_parameters"), _COUNT_OR_NULL),
            "shape": _counts(_SHAPE),
            "share": _counts(_SHARE)._replace(always=False),
            "warning": _TEXT_OR_NULL._replace(always=False),
            "precision": _TEXT,
            "tf32": _FLAG,
        },
        "arithmetic": {"dtype": _TEXT_OR_NULL, "tf32": _FLAG},
        "step": {
            "step": _FROM_1,
            "rows": _COUNT,
            **dict.fromkeys(("tokens", "padded_tokens", "loss_tokens"), _COUNT_OR_NULL),
            **dict.fromkeys(("block_tokens", "head_tokens"), _COUNT._replace(always=False)),
            **dict.fromkeys(("loss", "grad_norm"), _NUMBER_OR_NULL),
        },
        "memory": {**dict.fromkeys(("allocated", "reserved"), _COUNT_OR_NULL), "host": _COUNT},
        "energy": {"joules": _NUMBER_FROM_0},
        "ceilings": {
            **dict.fromkeys(("fp32", "tf32", "bf16", "memory_bandwidth"), _RATE_OR_NULL),
            **dict.fromkeys(("host_to_device", "all_reduce", "all_gather"), _RATE_OR_NULL),
        },
        "sampled": {
            **dict.fromkeys(("seconds", "low", "high"), _NUMBER),
            "warmup_time": _NUMBER_FROM_0,
            "warmup_steps": _COUNT,
        },
        "proof": {},
        "answers": {
            "answers": Need("a list of {prompt, text}", _are_answers),
            **dict.fromkeys(("first_token", "seconds"), _NUMBER_FROM_0),
            "tokens": _COUNT,
            "peak_memory": _COUNT_OR_NULL,
        },
        "failure": {
            "outcome": _OUTCOME,
            "phase": _PHASE,
            "reason": _TEXT,
            "mistake": _FLAG._replace(always=False),
        },
        "done": {},
    }.items()
}
