"""A case's id: readable, with a digest of what the spec says about the case."""

import re

import pytest

from benchspec.cases.ids import case_ids, digest
from benchspec.spec.document import bare


def test_ids_are_readable_and_stable(cases):
    first, second = cases("matrix: {dataset.rows: [10_000, 20_000]}")
    assert first.id.startswith("opt-tiny-rows-10000-") and len(first.id.rsplit("-")[-1]) == 6
    assert [case.id for case in cases("matrix: {dataset.rows: [10_000, 20_000]}")] == [first.id, second.id]


def test_an_id_depends_only_on_what_the_spec_says(cases):
    (plain,) = cases("title: x")
    (retitled,) = cases("title: y\nexpect: [{outcome: [ok, oom]}]")
    (as_mapping,) = cases("model: {name: opt-tiny}")
    (other,) = cases("train: {seed: 42}")
    (elsewhere,) = cases("title: x", "hardware=xe9680-h100")
    assert plain.id == retitled.id == as_mapping.id == elsewhere.id
    assert other.id != plain.id, "naming a default is saying something"


def test_a_new_default_does_not_change_ids(cases, monkeypatch):
    from benchspec_plugins.datasets.synthetic import Synthetic

    (before,) = cases("title: x")
    properties = {**Synthetic.options_schema["properties"], "spice": {"type": "integer", "default": 3}}
    monkeypatch.setattr(Synthetic, "options_schema", {"properties": properties})
    (after,) = cases("title: x")
    assert after.dataset["spice"] == 3 and after.id == before.id


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ("{train.seed: [7]}", "opt-tiny-seed-7"),
        ("{model: [bloom-tiny]}", "bloom-tiny"),
        ("{method: [full], backend: [ddp]}", "opt-tiny-full-ddp"),
        ("{dataset: [{name: synthetic, rows: 9}]}", "opt-tiny-synthetic-rows-9"),
        ("{dataset: [{name: resampled, of: {name: synthetic}, rows: 9}]}", "opt-tiny-resampled-rows-9"),
        ("{train.learning_rate: [2e-5]}", "opt-tiny-learning_rate-2e-05"),
        ("{train.learning_rate: [1e30]}", "opt-tiny-learning_rate-1e30"),
        ("{train.save: [null]}", "opt-tiny-save-none"),
    ],
)
def test_an_id_begins_with_the_model_and_the_other_axes(cases, matrix, words):
    (case,) = cases(f"matrix: {matrix}")
    assert re.fullmatch(rf"{re.escape(words)}-[0-9a-f]{{6}}", case.id), case.id


def test_an_id_is_always_a_valid_folder_name():
    where = bare({"path": "/data/Größe: 1 MB/../rows", "name": "x" * 300})
    (found,) = case_ids([({"model": {"name": "opt"}}, {"dataset": where})])
    assert re.fullmatch(r"opt-[a-z0-9._-]{1,90}", found) and "/" not in found


def test_the_order_of_keys_does_not_change_an_id():
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})


#: two settings of a case whose digests begin with the same six digits
COLLIDING = [{"model": {"name": "opt"}, "train": {"seed": seed}} for seed in (801, 8822)]


def test_cases_whose_digests_begin_alike_get_longer_ones_and_the_others_keep_theirs():
    other = {"model": {"name": "opt"}, "train": {"seed": 0}}
    found = case_ids([(said, {}) for said in [*COLLIDING, other]])
    assert len({digest(said)[:6] for said in COLLIDING}) == 1
    assert found == [f"opt-{digest(said)[:n]}" for said, n in zip([*COLLIDING, other], (12, 12, 6), strict=True)]
    assert case_ids([(said, {}) for said in [other, *reversed(COLLIDING)]]) == [found[2], found[1], found[0]]


def test_cases_whose_readable_parts_differ_need_no_longer_digest():
    axes = [{"train.seed": bare(said["train"]["seed"])} for said in COLLIDING]
    ids = case_ids(list(zip(COLLIDING, axes, strict=True)))
    assert len(set(ids)) == 2 and {len(id.rsplit("-", 1)[1]) for id in ids} == {6}


def test_a_grid_in_which_digests_collide_is_planned(cases):
    found = cases("matrix: {train.seed: [171, 3098]}\ntrain: {}")
    assert [case.id.rsplit("-", 1)[0] for case in found] == ["opt-tiny-seed-171", "opt-tiny-seed-3098"]
    assert len({case.id.rsplit("-", 1)[1] for case in found}) == 1
