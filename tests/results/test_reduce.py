"""The events of a case -> its metrics."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from benchspec import Fact, Facts
from benchspec.kinds.values import flops_per_token
from benchspec.results.reduce import reduce, warmup_of
from benchspec.results.steps import combined

GIB = 2**30
#: two layers of width 8: 100 parameters, 40 of them only looked up
SHAPE = {
    "layers": 2,
    "hidden": 8,
    "heads": 2,
    "ffn": 32,
    "vocabulary": 4,
    "positions": 5,
    "tied_head": False,
    "parameters": 100,
    "lookup_parameters": 40,
}
MODEL = {
    "parameters": 100,
    "trainable_parameters": 100,
    "dtype": "float32",
    "shape": SHAPE,
    "share": {"learning": 60, "reached": 60, "layers": 2},
    "precision": "bf16",
    "tf32": True,
    "method": "full",
}
#: bf16, as the model was asked to compute
ARITHMETIC = {"dtype": "bfloat16", "tf32": True}
#: two rows a rank and step, as `step` has them
TRAIN = {"batch_size": 1, "gradient_accumulation": 2, "max_length": 64}
CPU = Facts(accelerator=None, accelerators=0)
GPU = Facts(accelerator="GPU", accelerators=2, peak={"bf16": Fact(1e5, "its maker"), "tf32": Fact(5e4, "its maker")})


def event(kind, time, **fields):
    return {"event": kind, "time": time, **fields}


def step(number, time, rows=2, tokens=20, loss=1.0):
    counts = {"rows": rows, "tokens": tokens, "padded_tokens": 2 * tokens, "loss_tokens": tokens // 2}
    return event("step", time, step=number, **counts, loss=loss, grad_norm=0.5)


def steps(*ends, begun=10.0):
    """The steps of a rank whose train phase began at `begun`, by the times of their ends."""
    return [event("begin", begun, phase="first-step"), *(step(number, end) for number, end in enumerate(ends, start=1))]


def start(rank=0, world=1):
    return event("start", 0.0, rank=rank, world=world, pid=1)


def phase(name, begun, ended):
    return [event("begin", begun, phase=name), event("end", ended, phase=name)]


def reduced(*ranks, train=TRAIN, warmup_steps=1, facts=CPU, wall_time=100.0):
    found = dict(enumerate(ranks))
    return reduce(found, combined(found), train, warmup_steps=warmup_steps, facts=facts, wall_time=wall_time)


def metrics(*ranks, **settings):
    return reduced(*ranks, **settings).metrics


def test_train_runtime_is_the_slowest_ranks():
    found = metrics(phase("train", 10.0, 70.0), phase("train", 11.0, 73.5))
    assert found["train_runtime"] == found["phase_train"] == 62.5


def test_saves_within_training_count_in_its_time_and_add_up():
    events = [
        event("begin", 10.0, phase="train"),
        *phase("save", 20.0, 23.0),
        *phase("save", 30.0, 34.0),
        event("end", 40.0, phase="train"),
        *phase("save", 41.0, 42.0),
    ]
    found = metrics(events)
    assert found["train_runtime"] == 30.0
    assert found["phase_save"] == 8.0


def test_a_save_is_in_the_time_of_training_and_in_no_step_or_rate():
    events = [
        *phase("save", 1.0, 2.0),
        event("begin", 10.0, phase="train"),
        *steps(12.0, 14.0),
        *phase("save", 14.5, 44.5),
        step(3, 46.0),
        event("end", 46.0, phase="train"),
    ]
    found = metrics(events)
    assert found["train_runtime"] == 36.0
    assert found["phase_save"] == 31.0
    assert found["step_time_p99"] == found["step_time_mean"] == 2.0
    assert found["rows_per_second"] == 1.0


def test_a_phase_that_any_rank_left_unfinished_has_no_time():
    found = metrics([*phase("data", 0.0, 5.0), *phase("train", 10.0, 70.0)], [event("begin", 10.0, phase="train")])
    assert found["phase_data"] == 5.0
    assert "train_runtime" not in found
    assert "phase_train" not in found


def clocked(kind, time, clock, **fields):
    return {**event(kind, time, **fields), "clock": clock}


def test_a_time_of_day_that_is_set_changes_no_duration():
    """Set back by an hour within training, and forth by a day."""
    events = [
        clocked("start", 5000.0, 70.0, rank=0, world=1, pid=1, host="a"),
        clocked("begin", 5001.0, 71.0, phase="train"),
        clocked("begin", 5001.0, 71.0, phase="first-step"),
        step(1, 5003.0) | {"clock": 73.0},
        step(2, 1405.0) | {"clock": 75.0},
        step(3, 87807.0) | {"clock": 77.5},
        clocked("end", 87807.5, 78.0, phase="train"),
    ]
    found = metrics(events)
    assert found["train_runtime"] == 7.0
    assert found["step_time_mean"] == 2.25
    assert found["rows_per_second"] == pytest.approx(4 / 4.5)


def test_without_clocks_a_time_of_day_that_is_set_back_leaves_durations_out():
    """In files of earlier versions: never a negative time."""
    events = [
        event("begin", 5000.0, phase="train"),
        *steps(5002.0, 5004.0, 1405.0, 1407.0, begun=5000.0),
        event("end", 1408.0, phase="train"),
    ]
    found = metrics(events)
    assert found["step_time_mean"] == 2.0
    assert "train_runtime" not in found


def test_wall_time_and_cost_are_of_the_whole_process_group():
    priced = Facts(accelerator=None, accelerators=0, price_per_hour=Fact(98.0, "a price list"))
    found = metrics([], facts=priced, wall_time=1800.0)
    assert found == {"wall_time": 1800.0, "cost": 49.0}
    assert "cost" not in metrics([], facts=CPU)


def test_throughput_is_summed_over_ranks_from_the_end_of_the_warm_up_to_the_end_of_the_last_step():
    # Step 1 ends with its slower rank at 15, the last step at 20.5: 5.5 s for the three that remain.
    found = metrics([start(0, 2), *steps(14.0, 16.0, 18.0, 20.0)], [start(1, 2), *steps(15.0, 17.0, 19.0, 20.5)])
    assert found["steps"] == 4
    assert found["rows_per_second"] == pytest.approx(3 * 2 * 2 / 5.5)
    assert found["tokens_per_second"] == pytest.approx(3 * 2 * 20 / 5.5)
    assert found["padded_tokens_per_second"] == pytest.approx(3 * 2 * 40 / 5.5)
    assert found["loss_tokens_per_second"] == pytest.approx(3 * 2 * 10 / 5.5)


def test_without_warm_up_the_first_step_counts_from_the_beginning_of_training():
    found = metrics(steps(14.0, 16.0, begun=10.0), warmup_steps=0)
    assert found["step_time_mean"] == 3.0
    assert found["rows_per_second"] == pytest.approx(4 / 6)


def test_step_times_are_the_differences_between_the_ends_of_steps():
    ends = [10.0, 11.0, 13.0, 16.0, 20.0]  # 1, 2, 3 and 4 s
    found = metrics(steps(*ends))
    assert found["step_time_mean"] == 2.5
    assert found["step_time_p50"] == 2.5
    assert found["step_time_p95"] == pytest.approx(3.85)
    assert found["step_time_p99"] == pytest.approx(3.97)


def test_the_mean_step_time_has_an_interval_from_ten_full_steps():
    ends = [10.0]
    for number in range(10):
        ends.append(ends[-1] + 1 + number % 2)
    found = reduced(steps(*ends))
    low, high = found.intervals["step_time_mean"]
    assert low < found.metrics["step_time_mean"] == 1.5 < high
    short = reduced(steps(*ends[:-1]))
    assert short.metrics["step_time_p99"] > 1
    assert short.intervals == {}


def test_a_partial_accumulation_counts_in_rates_but_is_no_step_time():
    """An epoch's last step has one row of two, in a quarter of the time."""
    times = [event("begin", 10.0, phase="first-step"), step(1, 14.0), step(2, 18.0), step(3, 19.0, rows=1, tokens=10)]
    found = metrics([*times, step(4, 23.0)])
    assert found["steps"] == 4
    assert (found["step_time_mean"], found["step_time_p50"], found["step_time_p99"]) == (4.0, 4.0, 4.0)
    assert found["rows_per_second"] == pytest.approx(5 / 9)
    assert found["tokens_per_second"] == pytest.approx(50 / 9)


def test_a_step_is_full_by_the_rows_of_all_ranks():
    """Two rows on one rank and none on the other are half of what two ranks should have."""
    ranks = ([start(0, 2), *steps(14.0, 16.0)], [start(1, 2), event("begin", 10.0, phase="first-step"), step(1, 14.0)])
    whole = metrics(ranks[0], [*ranks[1], step(2, 16.0)])
    half = metrics(ranks[0], [*ranks[1], step(2, 16.0, rows=0, tokens=0)])
    assert whole["step_time_mean"] == 2.0
    assert "step_time_mean" not in half
    assert half["rows_per_second"] == 1.0


@pytest.mark.parametrize(("ran", "first"), [(0, 0), (1, 0), (2, 1), (9, 1), (10, 2), (49, 9), (50, 10), (612, 10)])
def test_a_fifth_of_the_steps_are_warm_up_at_least_one_and_at_most_ten(ran, first):
    assert warmup_of(ran) == first


def test_the_warm_up_is_settled_by_the_steps_that_ran():
    # Steps of 9 s, then of 1 s.
    ends = [9.0 * number for number in range(1, 3)]
    ends += [ends[-1] + number for number in range(1, 9)]
    assert metrics(steps(*ends, begun=0.0), warmup_steps=None)["step_time_mean"] == 1.0
    assert metrics(steps(*ends, begun=0.0), warmup_steps=0)["step_time_mean"] == 2.6
    assert metrics(steps(7.0, begun=0.0), warmup_steps=None)["step_time_mean"] == 7.0


def test_no_step_after_the_warm_up_means_no_rate():
    found = metrics(steps(14.0, 16.0), warmup_steps=2)
    assert found["steps"] == 2
    assert not [id for id in found if id.startswith("step_time") or id.endswith("per_second")]


def test_steps_that_end_at_one_moment_have_no_rate():
    assert "rows_per_second" not in metrics(steps(14.0, 14.0, 14.0))


def test_operations_a_token_leave_look_ups_out_and_add_attention():
    assert flops_per_token(SHAPE, MODEL["share"], length=10) == 6 * (100 - 40) + 12 * 2 * 8 * 10


def test_operations_of_parameters_that_do_not_learn_are_left_out():
    """Only the last of two blocks, 25 multiplied parameters, learns: the gradient ends there."""
    share = {"learning": 25, "reached": 25, "layers": 1}
    assert flops_per_token(SHAPE, share, length=10) == 2 * 60 + 4 * 25 + (4 * 2 + 8 * 1) * 8 * 10


def trained(model=MODEL, arithmetic=ARITHMETIC, ends=(14.0, 16.0)):
    """A rank's events about its network and its steps."""
    return [event("model", 1.0, **model), event("arithmetic", 12.0, **arithmetic), *steps(*ends)]


def test_mfu_is_the_share_of_all_ranks_peak():
    rank = trained(ends=(14.0, 16.0, 18.0))
    found = metrics([start(0, 2), *rank], [start(1, 2), *rank], facts=GPU)
    # 40 tokens a step of 2 s in rows of 10 tokens; two ranks with 1e5 FLOP/s each
    assert found["tokens_per_second"] == 20.0
    assert found["mfu"] == pytest.approx(20 * (360 + 1920) / (2 * 1e5))


def test_hfu_counts_padding_and_what_checkpointing_computes_again():
    """80 tokens with padding a step of 2 s, in rows of 20: half of them are padding."""
    rank = trained(ends=(14.0, 16.0, 18.0))
    once = 40 * (6 * 60 + 12 * 2 * 8 * 20)
    # all but each block's last product, of 32 × 8 parameters in the two layers that the shape tells
    again = 40 * (2 * (60 - 32 - 2 * 32 * 8) + 4 * 2 * 8 * 20)
    assert metrics(rank, facts=GPU)["hfu"] == pytest.approx(once / 2 / 1e5)
    assert metrics(rank, facts=GPU, train={**TRAIN, "activation_checkpointing": True})["hfu"] == pytest.approx(
        (once + again) / 2 / 1e5
    )


def test_hfu_counts_what_a_recipe_says_that_it_computed():
    """Of 20 tokens a step, 15 went through the blocks and 5 through the head, of 32 parameters."""
    rank = [
        {**each, "block_tokens": 15, "head_tokens": 5} if each["event"] == "step" else each
        for each in trained(ends=(14.0, 16.0, 18.0))
    ]
    blocks = 15 * (6 * (60 - 32) + 12 * 2 * 8 * 20)
    assert metrics(rank, facts=GPU)["hfu"] == pytest.approx((blocks + 5 * 6 * 32) / 2 / 1e5)


CEILINGS = {
    **dict.fromkeys(("fp32", "tf32", "memory_bandwidth", "host_to_device", "all_reduce", "all_gather")),
    "bf16": 2e4,
}


def test_what_was_attained_is_the_share_of_what_the_ranks_measured():
    rank = [*trained(ends=(14.0, 16.0, 18.0)), event("ceilings", 20.0, **CEILINGS)]
    found = metrics([start(0, 2), *rank], [start(1, 2), *rank], facts=GPU)
    assert found["attained"] == pytest.approx(20 * (360 + 1920) / (2 * 2e4))


def test_nothing_is_attained_of_what_one_rank_did_not_measure():
    rank = trained(ends=(14.0, 16.0, 18.0))
    measured = event("ceilings", 20.0, **CEILINGS)
    assert "attained" not in metrics([start(0, 2), *rank, measured], [start(1, 2), *rank], facts=GPU)


SAMPLED = {"seconds": 90.0, "low": 88.0, "high": 92.0, "warmup_steps": 1, "warmup_time": 4.0}


def test_the_time_of_a_sampled_training_is_what_ran_and_what_is_projected():
    ran = [event("begin", 10.0, phase="train"), *steps(14.0, 16.0, 18.0), event("end", 20.0, phase="train")]
    sampled = [start(), *ran, event("sampled", 18.5, **SAMPLED)]
    found = reduced(sampled, warmup_steps=None, wall_time=30.0)
    assert (found.metrics["train_runtime"], found.metrics["phase_train"]) == (100.0, 10.0)
    assert found.basis == {"train_runtime": "projected"}
    assert found.intervals["train_runtime"] == [98.0, 102.0]
    assert (found.metrics["warmup_steps"], found.metrics["warmup_time"], found.metrics["steps"]) == (1, 4.0, 3)


def test_a_sampled_training_that_did_not_end_has_no_time():
    ran = [event("begin", 10.0, phase="train"), *steps(14.0, 16.0), event("sampled", 16.5, **SAMPLED)]
    found = reduced([start(), *ran], warmup_steps=None, wall_time=30.0)
    assert "train_runtime" not in found.metrics
    assert found.basis == {}


def test_mfu_uses_the_peak_of_the_arithmetic_that_was_seen():
    """Not that of the precision that was asked for, bf16."""
    assert metrics(trained(arithmetic={"dtype": "float32", "tf32": True}), facts=GPU)["mfu"] == pytest.approx(
        10 * (360 + 1920) / 5e4
    )


@pytest.mark.parametrize(
    ("change", "arithmetic", "facts"),
    [
        ({}, {}, CPU),
        ({}, {"dtype": "float32", "tf32": False}, GPU),
        ({}, {"dtype": None}, GPU),
        ({}, {"dtype": "float16"}, GPU),
        ({"shape": None}, {}, GPU),
        ({"share": None}, {}, GPU),
    ],
    ids=["no peak", "no peak of fp32", "not seen", "another type", "no shape", "what learns is not known"],
)
def test_mfu_is_absent_rather_than_a_guess(change, arithmetic, facts):
    found = metrics(trained({**MODEL, **change}, {**ARITHMETIC, **arithmetic}), facts=facts)
    assert found["tokens_per_second"] == 10.0
    assert "mfu" not in found


def test_mfu_is_absent_where_ranks_compute_differently():
    ranks = [[start(rank, 2), *trained(arithmetic={"dtype": "float32", "tf32": rank == 0})] for rank in (0, 1)]
    assert "mfu" not in metrics(*ranks, facts=Facts(accelerator="G", accelerators=2, peak={"fp32": Fact(1e4, "x")}))


def test_memory_is_the_largest_ranks():
    found = metrics(
        [event("memory", 1.0, allocated=40 * GIB, reserved=50 * GIB, host=3 * GIB)],
        [event("memory", 1.0, allocated=41 * GIB, reserved=49 * GIB, host=2 * GIB)],
    )
    assert found["peak_memory_allocated"] == 41 * GIB
    assert found["peak_memory_reserved"] == 50 * GIB
    assert found["host_peak_memory"] == 3 * GIB


def test_without_an_accelerator_there_is_host_memory_only():
    found = metrics([event("memory", 1.0, allocated=None, reserved=None, host=GIB)])
    assert found == {"wall_time": 100.0, "host_peak_memory": GIB}


def test_energy_is_the_sum_of_all_ranks_or_absent():
    ranks = [[start(0, 2), event("energy", 9.0, joules=1000.0)], [start(1, 2), event("energy", 9.0, joules=1200.5)]]
    assert metrics(*ranks)["energy"] == 2200.5
    assert "energy" not in metrics(ranks[0])


def test_answering_is_of_all_batches_of_prompts():
    def batch(prompts, **took):
        return event("answers", 9.0, answers=[{"prompt": "?", "text": "!"}] * prompts, **took)

    found = metrics(
        [
            batch(3, first_token=0.2, seconds=1.0, tokens=60, peak_memory=GIB),
            batch(2, first_token=0.1, seconds=1.0, tokens=20, peak_memory=2 * GIB),
        ]
    )
    assert found["first_token_time"] == 0.2
    assert found["generated_tokens_per_second"] == 40
    assert found["query_peak_memory"] == 2 * GIB


def test_counts_are_taken_from_any_rank():
    data = event("data", 1.0, rows=52002, words=3025587, tokens=3986889, planned_steps=612)
    found = metrics([], [data, event("model", 2.0, **MODEL)])
    assert found["planned_steps"] == 612
    assert (found["dataset_rows"], found["dataset_words"], found["dataset_tokens"]) == (52002, 3025587, 3986889)
    assert (found["parameters"], found["trainable_parameters"]) == (100, 100)


def test_the_final_loss_is_the_mean_of_the_last_ten_steps_by_their_labelled_tokens():
    early = [step(number, 10.0 + number, loss=9.0) for number in (1, 2)]
    late = [step(number, 10.0 + number, loss=2.0) for number in range(3, 12)]
    found = metrics([*early, *late, step(12, 22.0, tokens=200, loss=1.0)])
    assert found["first_loss"] == 9.0
    # nine steps of 10 labelled tokens, and one of 100
    assert found["final_loss"] == pytest.approx((90 * 2.0 + 100 * 1.0) / 190)


def test_the_final_loss_of_a_short_training_is_of_all_steps():
    assert metrics([step(1, 11.0, loss=2.5), step(2, 12.0, loss=1.5)])["final_loss"] == 2.0


def test_a_loss_that_was_not_finite_is_absent():
    found = metrics([step(1, 11.0, loss=2.5), step(2, 12.0, loss=None)])
    assert found["first_loss"] == 2.5
    assert "final_loss" not in found


def test_a_number_that_is_not_finite_is_never_a_metric():
    assert "first_loss" not in metrics([step(1, 11.0, loss=math.nan)])


def test_only_steps_that_every_rank_ended_count():
    found = metrics([start(0, 2), *steps(12.0, 14.0, 16.0)], [start(1, 2), *steps(12.0, 14.0)])
    assert found["steps"] == 2
    assert found["rows_per_second"] == 2.0


def test_a_rank_without_any_event_leaves_no_rates():
    found = metrics([start(0, 2), *steps(12.0, 14.0, 16.0)])
    assert found["steps"] == 0
    assert "rows_per_second" not in found


def test_evidence_may_be_cut_off_anywhere():
    rank = [
        start(),
        *phase("start", 0.0, 1.0),
        event("begin", 1.0, phase="data"),
        event("data", 2.0, rows=10, words=100, tokens=150, planned_steps=4),
        event("end", 3.0, phase="data"),
        event("model", 4.0, **MODEL),
        event("begin", 9.0, phase="train"),
        event("arithmetic", 11.0, **ARITHMETIC),
        *steps(12.0, 14.0, 16.0),
        event("end", 17.0, phase="train"),
        event("energy", 17.0, joules=5.0),
        event("memory", 18.0, allocated=GIB, reserved=GIB, host=GIB),
        event("done", 19.0),
    ]
    known = [set(metrics(rank[:length], facts=GPU)) for length in range(len(rank) + 1)]
    assert known[0] == {"wall_time"}
    assert all(before <= after for before, after in pairwise(known))
    assert {"train_runtime", "mfu", "energy", "peak_memory_allocated"} <= known[-1]


def test_an_interval_of_times_does_not_begin_below_0():
    times = [0.1] * 9 + [9.0] + [0.1] * 9 + [9.0]
    ends = [10.0 + sum(times[:place]) for place in range(1, len(times) + 1)]
    found = reduced(
        [start(), event("begin", 10.0, phase="train"), event("begin", 10.0, phase="first-step"), *steps(*ends)]
    )
    low, high = found.intervals["step_time_mean"]
    assert low == 0.0 and high > found.metrics["step_time_mean"]
