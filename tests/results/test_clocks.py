"""The clocks of all hosts as one."""

from __future__ import annotations

from benchspec.results.clocks import moment, offsets, overall, spans
from benchspec.results.steps import combined

DAYS = 86400.0


def start(rank, time, clock, host):
    return {"event": "start", "time": time, "clock": clock, "rank": rank, "world": 2, "pid": 1, "host": host}


def begin(clock, phase="first-step", time=0.0):
    return {"event": "begin", "time": time, "clock": clock, "phase": phase}


def end(clock, phase="first-step", time=0.0):
    return {"event": "end", "time": time, "clock": clock, "phase": phase}


def step(number, clock, time=0.0):
    counts = {"rows": 2, "tokens": 20, "padded_tokens": 20, "loss_tokens": 10, "loss": 1.0, "grad_norm": 0.5}
    return {"event": "step", "time": time, "clock": clock, "step": number, **counts}


def test_a_host_has_one_offset_from_its_first_start():
    """The time of day was set forward by an hour between the starts of two ranks of a host."""
    ranks = {0: [start(0, 4601.5, 51.5, "a")], 1: [start(1, 1001.0, 51.0, "a")], 2: [start(2, 1002.0, 7.0, "b")]}
    assert offsets(ranks) == {0: 950.0, 1: 950.0, 2: 995.0}


def test_a_rank_that_does_not_name_its_host_has_an_offset_of_its_own():
    ranks = {0: [{"event": "start", "time": 10.0, "clock": 3.0}], 1: [{"event": "start", "time": 10.5, "clock": 900.0}]}
    assert offsets(ranks) == {0: 7.0, 1: -889.5}


def test_without_a_clock_the_time_of_day_counts():
    old = {"event": "start", "time": 1001.0, "rank": 0, "world": 1, "pid": 1}
    assert offsets({0: [old], 1: []}) == {0: 0.0, 1: 0.0}
    assert moment(old, 0.0) == 1001.0


def test_hosts_whose_clocks_differ_by_days_have_the_same_steps():
    one = [start(0, 1000.0, 50.0, "a"), begin(60.0), step(1, 64.0), step(2, 66.5)]
    other = [start(1, 1000.0, 50.0 + 9 * DAYS, "b"), begin(61.0 + 9 * DAYS), step(1, 65.0 + 9 * DAYS)]
    other.append(step(2, 66.0 + 9 * DAYS))
    assert [found.seconds for found in combined({0: one, 1: other})] == [4.0, 1.5]


def test_no_step_ends_before_it_began_whatever_the_time_of_day_says():
    """Two hosts that disagree by minutes, and whose time of day is set back and forth at every step."""
    ranks = {}
    for rank, (host, boot, wrong) in enumerate([("a", 5.0, 0.0), ("b", 40 * DAYS, 300.0)]):
        jumps = [(-1) ** number * 3600.0 for number in range(8)]
        done = [step(number, boot + 10 + number, time=1000.0 + jumps[number]) for number in range(1, 8)]
        ranks[rank] = [start(rank, 1000.0 + wrong, boot, host), begin(boot + 10), *done]
    assert [found.seconds for found in combined(ranks)] == [1.0] * 7


def test_spans_of_a_phase_are_known_once_the_rank_has_left_it():
    events = [begin(1.0, "save"), end(3.0, "save"), begin(3.5, "train"), begin(5.0, "save"), end(6.0, "save")]
    assert spans(events, "save", 100.0) == [(101.0, 103.0), (105.0, 106.0)]
    assert spans(events, "train", 100.0) is None
    assert spans(events, "data", 100.0) == []


def test_ranks_are_in_a_phase_from_the_last_to_begin_until_the_last_to_end():
    assert overall([[(1.0, 5.0), (8.0, 9.0)], [(2.0, 4.0)]]) == [(2.0, 5.0), (8.0, 9.0)]
    assert overall([]) == []
