"""Events -> the steps of all ranks together."""

from __future__ import annotations

from benchspec.results.steps import combined


def start(rank, world):
    return {"event": "start", "time": 0.0, "rank": rank, "world": world, "pid": 1}


def begin(time):
    return {"event": "begin", "time": time, "phase": "first-step"}


def step(number, time, rows=2, loss=1.0):
    counts = {"rows": rows, "tokens": 10 * rows, "padded_tokens": 20 * rows, "loss_tokens": 5 * rows}
    return {"event": "step", "time": time, "step": number, **counts, "loss": loss, "grad_norm": 0.5}


def test_a_step_lasts_from_the_slowest_ranks_end_of_the_one_before_to_its_own():
    ranks = {
        0: [start(0, 2), begin(10.0), step(1, 14.0), step(2, 16.5)],
        1: [start(1, 2), begin(11.0), step(1, 15.0), step(2, 16.0)],
    }
    assert [found.seconds for found in combined(ranks)] == [4.0, 1.5]


def test_counts_are_sums_over_ranks_and_the_loss_is_as_reported():
    first, second = [start(0, 2), step(1, 14.0, rows=3, loss=1.9)], [start(1, 2), step(1, 14.0, rows=1, loss=1.9)]
    (found,) = combined({0: first, 1: second})
    assert (found.step, found.rows, found.tokens, found.padded_tokens, found.loss_tokens) == (1, 4, 40, 80, 20)
    assert (found.loss, found.grad_norm) == (1.9, 0.5)


def test_a_step_that_a_rank_did_not_end_is_left_out():
    ranks = {0: [start(0, 2), step(1, 14.0), step(2, 16.0)], 1: [start(1, 2), step(1, 15.0)]}
    assert [found.step for found in combined(ranks)] == [1]
    assert combined({0: ranks[0]}) == []


def test_a_step_after_one_that_is_missing_has_no_known_time():
    assert [found.seconds for found in combined({0: [step(1, 14.0), step(3, 18.0), step(4, 19.0)]})] == [
        None,
        None,
        1.0,
    ]


def test_no_events_are_no_steps():
    assert combined({}) == []


def save(begun, ended):
    return [{"event": "begin", "time": begun, "phase": "save"}, {"event": "end", "time": ended, "phase": "save"}]


def test_a_step_after_a_save_does_not_contain_it():
    """Rank 0 writes, and rank 1 waits for it in the next step."""
    ranks = {
        0: [start(0, 2), begin(10.0), step(1, 14.0), *save(14.5, 44.5), step(2, 46.0), step(3, 48.0)],
        1: [start(1, 2), begin(10.0), step(1, 14.0), *save(14.5, 14.6), step(2, 46.0), step(3, 48.0)],
    }
    assert [found.seconds for found in combined(ranks)] == [4.0, 2.0, 2.0]


def test_a_save_before_the_report_of_its_step_is_left_out_too():
    assert [found.seconds for found in combined({0: [begin(10.0), *save(12.0, 15.0), step(1, 15.0)]})] == [2.0]


def test_a_save_of_one_rank_alone_takes_no_more_than_its_step():
    """Rank 0 is ahead: it began to save before rank 1 had ended the step."""
    ranks = {
        0: [start(0, 2), begin(10.0), step(1, 12.0), *save(12.0, 20.0), step(2, 21.0)],
        1: [start(1, 2), begin(10.0), step(1, 14.0), step(2, 21.0)],
    }
    assert [found.seconds for found in combined(ranks)] == [4.0, 1.0]


def test_saves_of_ranks_that_overlap_count_once():
    ranks = {
        0: [start(0, 2), begin(0.0), *save(1.0, 5.0), step(1, 9.0)],
        1: [start(1, 2), begin(0.0), *save(1.0, 2.0), *save(3.0, 6.0), step(1, 9.0)],
    }
    assert [found.seconds for found in combined(ranks)] == [4.0]


def test_without_clocks_a_step_that_ends_before_the_last_one_has_no_known_time():
    """Files of earlier versions, where the time of day was set back."""
    assert [found.seconds for found in combined({0: [begin(10.0), step(1, 12.0), step(2, 5.0), step(3, 7.0)]})] == [
        2.0,
        None,
        2.0,
    ]
