import pytest

from benchspec.terms.units import DURATIONS, SHARES, SIZES, count_text, duration_text, quantity


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15 min", 900),
        ("6h", 21600),
        ("90 s", 90),
        ("1.5 h", 5400),
        ("250 ms", 0.25),
        ("14 d", 1_209_600),
        ("1_000 s", 1000),
        ("4.35 h", 15660),
        ("1e-999999999 s", 0),
    ],
)
def test_durations(text, seconds):
    assert quantity(text, DURATIONS) == seconds


@pytest.mark.parametrize("percent", range(101))
def test_a_share_is_the_number_that_would_be_written(percent):
    assert quantity(f"{percent}%", SHARES) == float(f"{percent}e-2")


@pytest.mark.parametrize(
    ("text", "size"), [("80 GiB", 80 * 2**30), ("80GB", 80 * 10**9), ("512 KiB", 2**19), ("7 B", 7)]
)
def test_sizes(text, size):
    assert quantity(text, SIZES) == size


@pytest.mark.parametrize("text", ["15", "min", "15 minutes ago", "-3 s", "15 parsec", ""])
def test_what_is_no_duration_says_what_one_is(text):
    with pytest.raises(ValueError, match=r"units: ms, s, min, h, d"):
        quantity(text, DURATIONS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4216, "0.422 s"),
        (12.34, "12.3 s"),
        (59.99, "60 s"),
        (60, "1 min"),
        (903, "15 min 3 s"),
        (7500, "2 h 5 min"),
        (3600, "1 h"),
        (97_200, "1 d 3 h"),
    ],
)
def test_durations_as_people_say_them(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(121_000, "0.121 M"), (331_196_416, "331 M"), (999_400_000, "999 M"), (999_600_000, "1 G"), (6.66e9, "6.66 G")],
)
def test_counts_as_people_say_them(count, text):
    assert count_text(count) == text
