"""The events of a case -> its metrics."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from benchspec import Fact, Facts
from benchspec.kinds.values import flops_per_token
from benchspec.results.reduce import reduce

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


def metrics(*ranks, warmup_steps=1, facts=CPU, started=0.0, finished=100.0):
    found = reduce(dict(enumerate(ranks)), warmup_steps=warmup_steps, facts=facts, started=started, finished=finished)
    return found.metrics


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


def test_a_phase_that_any_rank_left_unfinished_has_no_time():
    found = metrics([*phase("data", 0.0, 5.0), *phase("train", 10.0, 70.0)], [event("begin", 10.0, phase="train")])
    assert found["phase_data"] == 5.0
    assert "train_runtime" not in found
    assert "phase_train" not in found


def test_wall_time_and_cost_are_of_the_whole_process_group():
    priced = Facts(accelerator=None, accelerators=0, price_per_hour=Fact(98.0, "a price list"))
    found = metrics([], facts=priced, started=1000.0, finished=2800.0)
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


def test_the_mean_step_time_has_its_interval():
    ranks = {0: steps(10.0, 11.0, 13.0, 16.0, 20.0)}
    found = reduce(ranks, warmup_steps=1, facts=CPU, started=0.0, finished=1.0)
    # 1, 2, 3, 4: standard deviation √(5/3), so the mean's error is 0.6455, times Student's t at 3 degrees, 3.1824.
    low, high = found.intervals["step_time_mean"]
    assert (low, high) == pytest.approx((2.5 - 2.0543, 2.5 + 2.0543), abs=1e-4)


def test_one_step_has_a_time_but_no_interval():
    found = reduce({0: steps(10.0, 11.5)}, warmup_steps=1, facts=CPU, started=0.0, finished=1.0)
    assert found.metrics["step_time_p99"] == 1.5
    assert found.intervals == {}


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


def test_counts_are_taken_from_any_rank():
    data = event("data", 1.0, rows=52002, words=3025587, tokens=3986889, planned_steps=612)
    found = metrics([], [data, event("model", 2.0, **MODEL)])
    assert (found["dataset_rows"], found["dataset_words"], found["dataset_tokens"]) == (52002, 3025587, 3986889)
    assert (found["parameters"], found["trainable_parameters"]) == (100, 100)


def test_losses_are_of_the_first_and_last_step():
    found = metrics([step(1, 11.0, loss=2.5), step(2, 12.0, loss=2.0), step(3, 13.0, loss=1.5)])
    assert (found["first_loss"], found["final_loss"]) == (2.5, 1.5)


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
