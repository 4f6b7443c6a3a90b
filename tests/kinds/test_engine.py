"""The engine of a whole model on one device, as a recipe with a loop of its own uses it."""

import pytest

torch = pytest.importorskip("torch")

from benchspec import Engine


@pytest.fixture
def engine():
    torch.manual_seed(0)
    network = torch.nn.Linear(4, 2)
    return Engine(network, torch.optim.SGD(network.parameters(), lr=0.1), {"precision": "fp32", "max_grad_norm": 1.0})


def gradient(engine):
    return engine.module.weight.grad.clone()


def backward(engine, rows, last=True):
    with engine.computing(last):
        engine.backward(engine.module(rows).square().mean())


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_a_micro_batch_is_computed_in_the_cases_precision(engine, precision, dtype):
    engine.train = {**engine.train, "precision": precision}
    with engine.computing(last=True):
        assert engine.module(torch.ones(3, 4)).dtype == dtype
    assert engine.module(torch.ones(3, 4)).dtype == torch.float32


def test_gradients_of_micro_batches_add_up(engine):
    first, second = torch.randn(3, 4), torch.randn(3, 4)
    backward(engine, first, last=False)
    alone = gradient(engine)
    backward(engine, second)
    both = gradient(engine)
    engine.module.zero_grad()
    backward(engine, second)
    assert torch.allclose(both, alone + gradient(engine))


def test_a_step_clips_updates_and_clears(engine):
    backward(engine, 100 * torch.ones(3, 4))
    before, raw = engine.module.weight.detach().clone(), [one.grad.clone() for one in engine.module.parameters()]
    norm = engine.step()
    assert norm == pytest.approx(float(torch.cat([one.flatten() for one in raw]).norm())) and norm > 1
    # Stochastic gradient descent moves by the learning rate times a gradient clipped to a norm of 1.
    assert torch.allclose(before - engine.module.weight, 0.1 * raw[0] / norm, atol=1e-5)
    assert engine.module.weight.grad is None


class Saved:
    """What is saved, as `transformers` names it."""

    def __init__(self):
        self.calls = []

    def save_pretrained(self, folder, **given):
        self.calls.append((folder, given))


def test_the_model_and_its_tokenizer_are_saved_in_one_folder():
    network, tokenizer = Saved(), Saved()
    Engine(network, None, {}).save("folder", tokenizer)
    assert network.calls == [("folder", {"state_dict": None})] and tokenizer.calls == [("folder", {})]
