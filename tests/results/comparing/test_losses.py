"""Whether two runs learn the same."""

from __future__ import annotations

import pytest
from compared_runs import CASE, run_dir

from benchspec.results.comparing.losses import first_losses, parting
from benchspec.results.comparing.sides import paired


def parted(tmp_path, losses, precision="fp32", base=(5.0, 4.9, 4.8)):
    case = {**CASE, "train": {**CASE["train"], "precision": precision}}
    runs = [run_dir(tmp_path / name, [1.0], case=case, losses=each) for name, each in (("b", base), ("h", losses))]
    (sides,) = paired(*runs)
    return parting(sides)


@pytest.mark.parametrize(
    ("losses", "precision", "step"),
    [
        ((5.0, 4.9, 4.8), "fp32", None),
        ((5.0, 4.904, 4.8), "fp32", None),
        ((5.0, 4.91, 4.7), "fp32", 2),
        ((5.0, 4.91, 4.8), "bf16", None),
        ((5.0, 4.9, 4.6), "bf16", 3),
        ((5.0,), "fp32", None),
        ((5.0, None, 4.8), "fp32", None),
    ],
)
def test_where_losses_part(tmp_path, losses, precision, step):
    found = parted(tmp_path, losses, precision)
    assert found is None if step is None else found.startswith(f"the losses part at step {step}: ")


def test_only_the_first_twenty_steps_count(tmp_path):
    same = (5.0,) * 20
    assert parted(tmp_path, (*same, 9.0), base=(*same, 5.0)) is None
    assert len(first_losses(next((tmp_path / "h").rglob("rank-0.jsonl")).parent)) == 20


def test_it_is_said_in_words(tmp_path):
    said = "the losses part at step 2: 4.9 in base, 5.4 in head, more than 0.001 apart"
    assert parted(tmp_path, (5.0, 5.4, 4.8)) == said


def test_losses_that_part_at_once_began_apart(tmp_path):
    assert parted(tmp_path, (5.5, 4.9, 4.8)).endswith("apart: the weights or the rows that they began with differ")


def test_without_the_evidence_it_is_not_known(tmp_path):
    runs = [run_dir(tmp_path / name, [1.0]) for name in ("b", "h")]
    next((tmp_path / "h").rglob("rank-0.jsonl")).unlink()
    (sides,) = paired(*runs)
    assert parting(sides) == "head has no rank-0.jsonl of a launch, so whether both learn the same is not known"
