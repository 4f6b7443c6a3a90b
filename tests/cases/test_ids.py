"""A case's id: readable, and bound to what the spec says of the case."""


def test_ids_are_readable_and_stable(cases):
    first, second = cases("matrix: {dataset.rows: [10_000, 20_000]}")
    assert first.id.startswith("opt-tiny-rows-10000-") and len(first.id.rsplit("-")[-1]) == 6
    assert [case.id for case in cases("matrix: {dataset.rows: [10_000, 20_000]}")] == [first.id, second.id]


def test_an_id_is_bound_to_what_is_said_and_to_nothing_else(cases):
    (plain,) = cases("title: x")
    (retitled,) = cases("title: y\nexpect: [{outcome: [ok, oom]}]")
    (as_mapping,) = cases("model: {name: opt-tiny}")
    (other,) = cases("train: {seed: 42}")
    (elsewhere,) = cases("title: x", "hardware=xe9680-h100")
    assert plain.id == retitled.id == as_mapping.id == elsewhere.id
    assert other.id != plain.id, "naming a default is saying something"


def test_a_new_default_changes_no_id_of_a_case_that_does_not_name_it(cases, monkeypatch):
    from benchspec_plugins.datasets.synthetic import Synthetic

    (before,) = cases("title: x")
    properties = {**Synthetic.options_schema["properties"], "spice": {"type": "integer", "default": 3}}
    monkeypatch.setattr(Synthetic, "options_schema", {"properties": properties})
    (after,) = cases("title: x")
    assert after.dataset["spice"] == 3 and after.id == before.id
