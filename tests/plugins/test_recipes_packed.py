"""The recipe `packed`: the loss and the gradients of padded batches, from less work."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import FAMILIES, create, make_rows, small_tokenizer, tiny
from driving import ALPACA, column, distance, drive
from packed_networks import (
    NETWORKS,
    START,
    apart,
    both,
    gradients,
    padded_loss,
    rows,
    without_dropout,
)

from benchspec import PluginError
from benchspec_plugins.methods.adapter import Adapter
from benchspec_plugins.methods.frozen import Frozen
from benchspec_plugins.methods.full import Full
from benchspec_plugins.methods.lora import Lora
from benchspec_plugins.recipes import as_trainer, packed, packed_network, packing

PACKED = "benchspec_plugins.recipes.packed"


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_in_float64_are_those_of_padded_rows(name):
    network = without_dropout(NETWORKS[name]().double())
    (loss, wanted), (sums, found) = both(network, rows(), wide=True)
    assert abs(sums.item() - loss.item()) < 1e-11 * loss.item()
    assert found.keys() == wanted.keys()
    scale = max(float(grad.abs().max()) for grad in wanted.values())
    assert max(float((found[key] - wanted[key]).abs().max()) for key in wanted) < 1e-11 * scale


@pytest.mark.parametrize("name", NETWORKS)
def test_in_bfloat16_it_is_no_further_from_float64_than_padded_rows(name):
    found = [row for number in range(6) for row in rows()[: 4 + number % 2]]
    network = without_dropout(NETWORKS[name]())
    (_, exact), _ = both(copy.deepcopy(network).double(), found, wide=True)
    with torch.autocast("cpu", torch.bfloat16):
        (_, padded), (_, mine) = both(network, found)
    assert apart(mine, exact) <= 1.1 * apart(padded, exact)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_dropout_leaves_the_expectation_of_the_gradient_as_it_is(family):
    """Rows of a micro-batch share the masks of their start: their sum varies otherwise, about the same mean."""
    torch.manual_seed(2)
    network, found, seeds = tiny(family).train(), rows()[:4], 400
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.1
        elif isinstance(getattr(module, "dropout", None), float):
            # OPT's blocks keep a number.
            module.dropout = 0.1
    starts = [np.array(START, np.int32)]
    other = copy.deepcopy(network)
    packed_network.install(other)
    directions = {name: torch.randn(4, p.numel()) for name, p in network.named_parameters()}

    def samples(module, loss):
        taken = []
        for seed in range(seeds):
            torch.manual_seed(seed)
            module.zero_grad()
            loss().backward()
            taken.append(sum(directions[name] @ grad.flatten() for name, grad in gradients(module).items()))
        return torch.stack(taken)

    padded = samples(network, lambda: padded_loss(network, found))
    mine = samples(other, lambda: other(packing.pack(found, starts)))
    assert (padded.std(0) > 0).all()
    errors = ((padded.var(0) + mine.var(0)) / seeds).sqrt()
    assert ((padded.mean(0) - mine.mean(0)).abs() < 4 * errors).all()


def test_what_segments_see_gives_its_gradients_back_to_every_token():
    starts = [np.array(START, np.int32), np.array([20, 21], np.int32)]
    others = [{"input_ids": np.array([20, 21, *range(30, 30 + n)], np.int32), "prompt": 4} for n in (5, 3)]
    pack = packing.pack([row for pair in zip(rows(), others * 3, strict=True) for row in pair], starts)
    assert len(pack.keys.followers) == 2
    x = torch.randn(len(pack.ids), 2, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(len(pack.keys.tokens), 2, 4, dtype=torch.float64)
    found = [
        torch.autograd.grad((seen * weights).sum(), x)[0]
        for seen in (packed_network._Seen.apply(x, pack.keys), x[pack.keys.tokens])
    ]
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("device", "precision", "place"), [("cpu", "bf16", "bf16 on this CPU"), ("cuda", "fp32", "fp32 on this GPU")]
)
def test_blocks_that_are_computed_anew_cannot_be_compiled_where_attention_is_not(device, precision, place):
    train = {"compile": True, "activation_checkpointing": True, "precision": precision}
    job = SimpleNamespace(case=SimpleNamespace(train=train), device=torch.device(device))
    with pytest.raises(PluginError, match=f"cannot compile blocks with train.activation_checkpointing in {place}"):
        packed._check_compiled(job)
    packed._check_compiled(SimpleNamespace(case=SimpleNamespace(train={**train, "compile": False})))


@pytest.mark.parametrize("method", [Full, Lora, Adapter, Frozen])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_method_learns_the_same(family, method):
    torch.manual_seed(1)
    network = create(method, {}).apply(tiny(family))
    (loss, wanted), (sums, found) = both(network, rows())
    assert sums.item() == pytest.approx(loss.item(), rel=1e-6)
    assert found.keys() == wanted.keys() and wanted
    scale = max(float(grad.abs().max()) for grad in wanted.values())
    assert max(float((found[key] - wanted[key]).abs().max()) for key in wanted) < 1e-5 * scale


def test_a_network_gets_its_own_forward_back():
    network = tiny("opt")
    packed_network.install(network)
    packed_network.uninstall(network)
    assert network(input_ids=torch.tensor([[3, 4]])).logits.shape == (1, 2, 131)


def test_what_is_not_computed_right_is_refused():
    network = tiny("opt")
    network.config.attention_dropout = 0.1
    with pytest.raises(PluginError, match=r"'packed' does not compute attention_dropout 0.1; choose another recipe"):
        packed_network.install(network)
    with pytest.raises(PluginError, match=r"'packed' knows OPTForCausalLM, .*, not Linear"):
        packed_network.install(torch.nn.Linear(2, 2))


def test_a_method_that_wraps_the_head_is_refused():
    network = create(Lora, {"targets": ["q_proj", "lm_head"]}).apply(tiny("gpt-j"))
    with pytest.raises(PluginError, match="leave the head out of the method's targets, or choose another recipe"):
        packed_network.install(network)


def test_a_row_that_is_cut_off_where_its_start_ends_is_computed():
    network, cut = tiny("opt"), {"input_ids": np.array(START, np.int32), "prompt": 6}
    (loss, wanted), (sums, found) = both(network, [*rows(), cut])
    assert sums.item() == pytest.approx(loss.item(), rel=1e-6)
    assert found.keys() == wanted.keys()


def test_a_start_stands_once_and_rows_continue_it():
    found = packing.pack(rows(), [np.array(START, np.int32)])
    assert found.lengths == [4, 5, 9, 2, 12, 8, 1]
    assert found.continues == [None, 0, 0, 0, 0, None, None]
    assert found.positions[4:9].tolist() == [4, 5, 6, 7, 8]
    # Rows of 9, 13, 6, 16, 8 and 1 tokens with prompts of 6, 6, 6, 6, 3 and 3.
    assert len(found.learnt) == len(found.targets) == 3 + 7 + 0 + 10 + 5 + 0
    assert found.ids[found.learnt + 1][0] == found.targets[0]


def test_a_start_that_reaches_the_answer_is_not_shared():
    row = {"input_ids": np.array([*START, 5, 6], np.int32), "prompt": 4}
    assert packing.shared_start(row, [np.array(START, np.int32)]) is None
    assert packing.shared_start({**row, "prompt": 5}, [np.array(START, np.int32)]) == 0


def test_ranks_share_a_step_by_length_and_agree_on_it():
    found = [{"input_ids": np.arange(n, dtype=np.int32), "prompt": 2} for n in (50, 10, 10, 10, 10, 10, 40, 20)]
    steps = [packing.divide(found, 40, [], rank, 2) for rank in range(2)]
    assert {len(step.packs) for step in steps} == {2}
    assert {step.labelled for step in steps} == {sum(n - 2 for n in (50, 10, 10, 10, 10, 10, 40, 20))}
    assert [step.counts.tokens for step in steps] in ([80, 80], [90, 70], [70, 90])
    assert sum(step.counts.rows for step in steps) == 8


@pytest.mark.parametrize("world", [1, 2, 3])
def test_the_rows_of_a_step_are_those_that_alpaca_has(world):
    """accelerate deals the batches out to ranks; an epoch's end and its first rows included."""
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    train = {"batch_size": 2, "gradient_accumulation": 2, "seed": 5}
    mine = packed.step_rows(11, train, world)
    order = as_trainer.shuffled_rows(11, 5)
    for _ in range(2):
        epoch = list(order)
        batches = [BatchSampler(epoch, 2, drop_last=False) for _ in range(world)]
        shards = [
            list(BatchSamplerShard(each, world, rank) if world > 1 else each) for rank, each in enumerate(batches)
        ]
        for start in range(0, len(shards[0]), 2):
            wanted = [place for shard in shards for batch in shard[start : start + 2] for place in batch]
            assert sorted(next(mine)) == sorted(wanted)


@pytest.mark.slow
def test_it_learns_what_alpaca_learns(tmp_path):
    for family in FAMILIES:
        tiny(family).save_pretrained(tmp_path / family)
        small_tokenizer().save_pretrained(tmp_path / family)
    kinds = [("opt", {"name": "fsdp"}), ("gpt-j", {"name": "ddp"}), ("bloom", {"name": "deepspeed", "stage": 3})]
    usual = {"rows": make_rows(27), "weights": "pretrained", "folder": str(tmp_path / "out")}
    plan = [
        {
            **usual,
            "recipe": recipe,
            "options": options,
            "model": str(tmp_path / family),
            "backend": backend,
            "train": {"epochs": 2},
        }
        for family, backend in kinds
        for recipe, options in ((ALPACA, {}), (PACKED, {"tokens": 40}))
    ]
    found = drive(plan, tmp_path)
    for number in range(0, len(plan), 2):
        alpaca, mine = found[0][number], found[0][number + 1]
        assert distance(mine, alpaca) < 1e-6
        assert column(mine, "grad_norm") == pytest.approx(column(alpaca, "grad_norm"), rel=1e-5)
        counted = [[sum(column(rank[at], "rows")) for rank in found] for at in (number, number + 1)]
        assert sum(counted[0]) == sum(counted[1])


@pytest.mark.parametrize("family", NETWORKS)
def test_with_activation_checkpointing_each_block_is_computed_twice(family):
    network = NETWORKS[family]().train()
    network.gradient_checkpointing_enable({"use_reentrant": False})
    packed_network.install(network)
    calls = []
    layer = next(each for each in network.modules() if isinstance(each, torch.nn.Linear))
    layer.register_forward_hook(lambda *_: calls.append(1))
    network(packing.pack(rows(), [np.array(START)])).backward()
    assert len(calls) == 2


@pytest.mark.parametrize("family", NETWORKS)
def test_attention_is_computed_in_half_precision_under_autocast(family, monkeypatch):
    seen = []
    compute = packed_network._one_by_one
    monkeypatch.setattr(packed_network, "_one_by_one", lambda *heads: seen.append(heads[:3]) or compute(*heads))
    network = NETWORKS[family]()
    packed_network.install(network)
    with torch.autocast("cpu", torch.bfloat16):
        network(packing.pack(rows(), [np.array(START)]))
    assert seen and all(each.dtype == torch.bfloat16 for heads in seen for each in heads)


def test_rows_whose_positions_bfloat16_does_not_hold_are_refused():
    network = tiny("bloom").to(torch.bfloat16)
    packed_network.install(network)
    long = {"input_ids": np.full(4097, 7, np.int32), "prompt": 2}
    with pytest.raises(PluginError, match="rows of at most 4096 tokens; lower"):
        network(packing.pack([long], []))


@pytest.mark.slow
def test_blocks_may_be_computed_anew(tmp_path):
    tiny("opt").save_pretrained(tmp_path / "opt")
    small_tokenizer().save_pretrained(tmp_path / "opt")
    usual = {"rows": make_rows(27), "weights": "pretrained", "folder": str(tmp_path / "out"), "recipe": PACKED}
    usual |= {"model": str(tmp_path / "opt"), "options": {"tokens": 40}, "backend": {"name": "fsdp"}}
    settings = [{}, {"activation_checkpointing": True}]
    found = drive([{**usual, "train": {"epochs": 1, **each}} for each in settings], tmp_path)
    as_ever, anew = found[0]
    assert distance(anew, as_ever) < 1e-6
