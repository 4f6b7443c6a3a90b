"""The outcomes and phases are those of the schemas."""

import json
from pathlib import Path

from benchspec.terms.outcomes import ABORTED, FINAL, INNER_PHASES, OUTCOMES, PHASES

SCHEMAS = Path(__file__).parents[2] / "schemas"


def schema(name):
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def test_outcomes_are_those_of_a_result():
    assert list(OUTCOMES) == schema("result")["$defs"]["outcome"]["enum"]


def test_phases_are_those_of_an_event():
    assert [*PHASES, *INNER_PHASES] == schema("event")["$defs"]["phase"]["enum"]


def test_whatever_is_final_or_is_read_from_a_log_is_an_outcome():
    assert {*FINAL, *ABORTED.values()} <= set(OUTCOMES)
