"""What a case will need, as `benchspec plan` says it."""

from benchspec import load
from benchspec.cases.needs import needs


def test_the_shape_is_known_without_torch(cases, tmp_path):
    (case,) = cases("model: opt-6.7b")
    spec = load(tmp_path / "spec.yaml")
    assert needs(spec, case)["parameters"] == 6_658_473_984
