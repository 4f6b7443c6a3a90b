from benchspec.spec.references import Reference, published, slopes

FIELDS = {
    "model": {"name": "opt-6.7b", "layers": 32},
    "dataset": {"name": "resampled", "of": {"name": "alpaca"}, "rows": 10},
}


def reference(kind, value, **changed):
    given = {"source": "a paper", "hardware": "h", "metric": "train_runtime", "experiment": "sizes", "where": {}}
    return Reference(**{**given, "kind": kind, "value": value, "per": None, "mark": None, **changed})


def published_of(*references):
    return published(references, "sizes", FIELDS)


def test_a_value_is_published_of_the_cases_that_meet_its_where():
    value = reference("value", 900, where={"model": "opt-6.7b"})
    bound = reference("below", 600, where={"model": "opt-13b"})
    assert published_of(value, bound) == [
        {"source": "a paper", "hardware": "h", "metric": "train_runtime", "value": 900}
    ]


def test_other_experiments_and_slopes_stand_elsewhere():
    slope = reference("slope", 180, per={"dataset.rows": 10_000})
    assert published_of(slope, reference("value", 1, experiment="rows")) == []
    assert slopes([slope, reference("value", 1)]) == [
        {"experiment": "sizes", "metric": "train_runtime", "slope": 180, "per": {"dataset.rows": 10_000}}
        | {"source": "a paper", "hardware": "h"}
    ]
