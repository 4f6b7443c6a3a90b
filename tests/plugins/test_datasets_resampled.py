"""The data set `resampled`: which rows are drawn, and what they cost."""

import pytest

from benchspec import BenchspecError, Dataset, Row
from benchspec_plugins.datasets.resampled import Resampled

np = pytest.importorskip("numpy", reason="needs numpy: pip install -e '.[train]'")


class Numbers(Dataset):
    """Rows "0", "1", "2" and so on; counts how often they are asked for."""

    name = "numbers"
    asked = 0

    def rows(self):
        self.asked += 1
        return [Row(str(number), "", "") for number in range(self.options["rows"])]


def resampled(rows, seed=42, of=None):
    return Resampled({"of": of or Numbers({"rows": 100}), "rows": rows, "seed": seed})


def test_rows_are_drawn_with_replacement():
    order = resampled(1000).order()
    assert order.shape == (1000,)
    assert set(order) <= set(range(100))
    # Each row is drawn 10 times on average; with a bias, some rows would be drawn far more or less often.
    assert 1 <= np.bincount(order, minlength=100).min() <= np.bincount(order).max() <= 30


def test_the_rows_themselves_are_not_copied():
    base = Numbers({"rows": 100})
    sample = resampled(5000, of=base)
    rows = sample.rows()
    assert len(rows) == 100
    assert sample.rows() is rows
    sample.order()
    assert base.asked == 1


def test_a_seed_decides_the_draws_on_every_machine():
    """The values are those of `pandas.Series(range(52_002)).sample(5, replace=True, random_state=42)`."""
    assert resampled(5, of=Numbers({"rows": 52_002})).order().tolist() == [15795, 860, 38158, 44732, 11284]
    assert resampled(1000).order().tolist() == resampled(1000).order().tolist()
    assert resampled(1000).order().tolist() != resampled(1000, seed=43).order().tolist()


def test_a_smaller_sample_is_the_beginning_of_a_larger_one():
    assert resampled(10_000).order().tolist() == resampled(20_000).order()[:10_000].tolist()


def test_a_sample_of_a_sample_holds_only_what_the_first_drew():
    inner = resampled(10, seed=1)
    outer = resampled(1000, seed=2, of=inner)
    assert set(outer.order()) == set(inner.order())
    assert len(outer.rows()) == 100
    assert outer.order().dtype == np.int32


def test_ten_million_rows_cost_four_bytes_each():
    order = resampled(10_000_000, of=Numbers({"rows": 1000})).order()
    assert order.dtype == np.int32
    assert order.nbytes == 40_000_000


def test_nothing_can_be_drawn_from_nothing():
    with pytest.raises(BenchspecError, match="the data set 'numbers' has no rows to draw from"):
        resampled(10, of=Numbers({"rows": 0})).order()


def test_its_size_is_known_without_reading_a_row():
    base = Numbers({"rows": 100})
    sample = resampled(5000, of=base)
    assert sample.size() == len(sample.order())
    assert (resampled(7, of=resampled(10)).size(), resampled(7, of=base).size(), base.asked) == (7, 7, 1)


def test_it_depends_on_what_the_other_data_set_depends_on():
    assert resampled(10).identity() is None
    numbers = type("Known", (Numbers,), {"identity": lambda self: "v1"})({"rows": 100})
    assert resampled(10, of=numbers).identity() == "v1"
