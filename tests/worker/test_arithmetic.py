"""The arithmetic of a network is seen in the first micro-batch, however a precision was asked for."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from ranks import logged, rank

from benchspec.worker.arithmetic import Watch, check, tf32_in_effect, uses_tf32


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(x)))


class Network(torch.nn.Module):
    """A first layer in float32, two blocks, and a head, all called with rows of four numbers."""

    _no_split_modules = ("Block",)

    def __init__(self, checkpointing=False):
        super().__init__()
        self.first, self.head = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
        self.blocks = torch.nn.ModuleList([Block(), Block()])
        self.checkpointing = checkpointing

    def forward(self, x):
        with torch.autocast("cpu", enabled=False):
            x = self.first(x)
        for block in self.blocks:
            again = torch.utils.checkpoint.checkpoint
            x = again(block, x, use_reentrant=False) if self.checkpointing else block(x)
        return self.head(x).float()


def micro_batch(network, precision="fp32"):
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        network(torch.ones(2, 4)).sum().backward()


def hooks(network):
    return sum(len(module._forward_hooks) for module in network.modules())


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", "bfloat16"), ("fp32", "float32")])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_it_is_the_type_of_a_product_in_the_first_block(precision, dtype, checkpointing):
    network = Network(checkpointing)
    watch = Watch(network)
    micro_batch(network, precision)
    assert watch.dtype == dtype
    check(dtype, precision)


def test_later_micro_batches_cost_nothing():
    network = Network()
    Watch(network)
    assert hooks(network) > 0
    micro_batch(network)
    assert hooks(network) == 0


def test_a_network_without_blocks_is_watched_as_a_whole():
    network = torch.nn.Sequential(torch.nn.Linear(4, 4))
    watch = Watch(network)
    micro_batch(network, "bf16")
    assert watch.dtype == "bfloat16"


def test_where_no_module_multiplies_nothing_is_seen_and_nothing_stays():
    network = Network()
    watch = Watch(network)
    watch.stop_if_idle()
    assert watch.dtype is None
    assert hooks(network) == 0


@pytest.mark.parametrize("checkpointing", [True, False])
@pytest.mark.parametrize("fullgraph", [True, False])
def test_compiled_code_is_seen_too_and_compiled_once(fullgraph, checkpointing):
    network, compiled = Network(checkpointing), []

    def backend(graph, examples):
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    fast = torch.compile(network, backend=backend, fullgraph=fullgraph)
    watch = Watch(network)
    for _ in range(3):
        micro_batch(fast, "bf16")
        watch.stop_if_idle()
    assert watch.dtype == "bfloat16"
    assert len(compiled) == 1


def test_blocks_that_fsdp_shards_are_found_by_the_name_that_they_had():
    network = Network()
    block = network.blocks[0]
    block.__class__ = type("FSDPBlock", (Block,), {})
    watch = Watch(network)
    micro_batch(network, "bf16")
    assert watch.dtype == "bfloat16"


@pytest.mark.parametrize(
    ("capability", "hip", "setting", "override", "effective"),
    [
        (8, None, "tf32", None, True),
        (10, None, "tf32", "1", True),
        (9, None, "tf32", "0", False),
        (9, None, "ieee", None, False),
        (9, None, "none", None, False),
        (7, None, "tf32", None, False),
        (9, "6.4", "tf32", None, False),
    ],
)
def test_tf32_needs_the_setting_and_a_gpu_that_has_it(capability, hip, setting, override, effective):
    assert tf32_in_effect(capability, hip, setting, override) is effective


def test_a_cpu_has_no_tf32():
    assert not uses_tf32(torch.device("cpu"), "tf32")


@pytest.fixture
def gpu(monkeypatch):
    """A device that torch describes as an Ampere GPU."""
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(major=8))
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    return torch.device("cuda", 0)


@pytest.fixture
def float32():
    """Torch's settings for float32 matrix products, which are set back."""
    found = torch.backends.cuda.matmul
    before = found.fp32_precision
    yield found
    found.fp32_precision = before


@pytest.mark.parametrize(("during", "after"), [("tf32", "ieee"), ("ieee", "tf32")])
def test_tf32_is_what_was_set_when_the_product_was_computed(gpu, float32, during, after):
    network = Network()
    watch = Watch(network)
    float32.fp32_precision = during
    micro_batch(network)
    float32.fp32_precision = after
    assert watch.tf32(gpu) is (during == "tf32")


def test_where_no_product_was_seen_tf32_is_what_is_set_now(gpu, float32):
    watch = Watch(Network())
    float32.fp32_precision = "tf32"
    assert watch.tf32(gpu)


def trained(folder, precision):
    """A rank whose case says bf16, and whose first micro-batch ran in `precision`."""
    job = rank(folder)
    job.model, job.case.train = Network(), {"precision": "bf16"}
    with job.phase("train"):
        micro_batch(job.model, precision)
        for _ in range(2):
            job.step(2, 8, 8, 8, 1.0, 1.0)
    return job


def test_a_rank_records_what_its_first_step_computed_in(tmp_path):
    job = trained(tmp_path, "bf16")
    (found,) = logged(tmp_path, "arithmetic")
    assert (found["dtype"], found["tf32"]) == ("bfloat16", False)
    assert job.arithmetic == {"dtype": "bfloat16", "tf32": False}


def test_another_arithmetic_than_the_case_s_fails_it(tmp_path):
    with pytest.raises(RuntimeError, match=r"computes in float32, not in bfloat16 \(train\.precision\)"):
        trained(tmp_path, "fp32")
    assert logged(tmp_path, "arithmetic")[0]["dtype"] == "float32"
    assert logged(tmp_path, "step") == []
