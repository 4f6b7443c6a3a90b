"""What is warned of: references and expectations that no case agrees with."""

import pytest
from small import REFERENCE, SMALL

from benchspec import load, plan
from benchspec.cases.check import unused_references


def test_a_reference_that_no_case_agrees_with_is_warned_of(write):
    spec = load(write(REFERENCE % "value: 1, where: {model: opt-125m}"))
    (warning,) = unused_references(spec, plan(spec))
    assert str(warning).endswith("no case agrees with this reference's 'where'") and warning.severity == "warning"


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (REFERENCE % "slope: 1, per: {dataset.rowz: 1}", "no case has the field 'dataset.rowz' of this 'per'"),
        (
            (REFERENCE % "value: 1").replace("metric:", "hardware: xe9680-h10\n    metric:"),
            "did you mean 'xe9680-h100'?",
        ),
        (
            SMALL + "    expect: [{where: {model: opt-13b}, outcome: oom}]\n",
            "no case agrees with this expectation's 'where'",
        ),
    ],
)
def test_what_is_surely_not_meant_is_warned_of(write, text, warning):
    spec = load(write(text))
    (problem,) = unused_references(spec, plan(spec))
    assert problem.severity == "warning" and warning in str(problem)
