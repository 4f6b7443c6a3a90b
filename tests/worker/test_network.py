"""The network is the model's, with what the method draws of its own, and is described as what it is."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from ranks import logged, rank

from benchspec.kinds.bases import Backend, Method, Model
from benchspec.kinds.values import Shape, Share
from benchspec.terms.errors import BenchspecError
from benchspec.worker import network


class Layer(Model):
    """A layer whose building draws what it is told to, beside its weights."""

    name = "layer"

    def build(self):
        torch.rand(self.options.get("draws", 0))
        return torch.nn.Linear(4, 4, dtype=self.options.get("dtype"))


class Drawing(Method):
    """The bias learns, from numbers that are drawn."""

    name = "drawing"

    def apply(self, model):
        model.weight.requires_grad_(False)
        with torch.no_grad():
            model.bias.copy_(torch.rand(4))
        return model

    def share(self, shape):
        return Share(learning=3, reached=2, layers=1)


def build(folder, model, method=Drawing, backend=Backend, **train):
    job = rank(folder)
    fields = {"seed": 42, "attention": "auto", "precision": "fp32", "tf32": False, **train}
    job.case = SimpleNamespace(train=fields, method={"name": method.name})
    job.backend = backend({})
    return network.build(job, model, method({}))


def test_what_a_method_draws_does_not_depend_on_how_the_model_was_built(tmp_path):
    found = [build(tmp_path, Layer({"draws": draws})) for draws in (0, 100)]
    assert not torch.equal(found[0].weight, found[1].weight)
    assert torch.equal(found[0].bias, found[1].bias)
    torch.manual_seed(42)
    assert torch.equal(found[0].bias, torch.rand(4)), "the case's seed"
    assert not torch.equal(found[0].bias, build(tmp_path, Layer({}), seed=43).bias)


def test_a_method_is_applied_after_building_has_ended(tmp_path):
    inside = []

    class Building(Backend):
        name = "building"

        def building(self):
            return torch.device("meta")

    class Looking(Drawing):
        def apply(self, model):
            inside.append(torch.empty(1).is_meta)
            return model

    assert build(tmp_path, Layer({}), Looking, Building).weight.is_meta
    assert inside == [False]


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_the_one_that_the_model_leaves(tmp_path, training):
    class Moded(Layer):
        def build(self):
            return super().build().train(training)

    assert build(tmp_path, Moded({})).training is training


def test_a_network_is_described(tmp_path):
    build(tmp_path, Layer({}), precision="bf16")
    (found,) = logged(tmp_path, "model")
    assert {key: found[key] for key in found if key not in ("event", "time", "clock")} == {
        "parameters": 20,
        "trainable_parameters": 4,
        "dtype": "float32",
        "shape": None,
        "share": None,
        "precision": "bf16",
        "tf32": False,
        "method": "drawing",
        "warning": None,
    }


def test_parameters_are_counted_as_the_backend_counts_them(tmp_path):
    class Split(Backend):
        """Of every parameter, this rank has a half."""

        name = "split"

        def numel(self, parameter):
            return 2 * parameter.numel()

    build(tmp_path, Layer({}), backend=Split)
    (found,) = logged(tmp_path, "model")
    assert (found["parameters"], found["trainable_parameters"]) == (40, 8)


def test_a_shape_and_what_of_it_learns_are_written_down(tmp_path):
    sizes = {"layers": 1, "hidden": 4, "heads": 1, "ffn": 4, "vocabulary": 9, "positions": None}

    class Shaped(Layer):
        def shape(self):
            return Shape(**sizes, tied_head=True, parameters=20, lookup_parameters=0)

    build(tmp_path, Shaped({}))
    (found,) = logged(tmp_path, "model")
    assert found["shape"] == {**sizes, "tied_head": True, "parameters": 20, "lookup_parameters": 0}
    assert found["share"] == {"learning": 3, "reached": 2, "layers": 1}


def test_a_shape_of_another_size_is_warned_of_and_not_used(tmp_path):
    class Larger(Layer):
        def shape(self):
            sizes = {"layers": 1, "hidden": 4, "heads": 1, "ffn": 4, "vocabulary": 9, "positions": None}
            return Shape(**sizes, tied_head=True, parameters=5000, lookup_parameters=0)

    build(tmp_path, Larger({}))
    (found,) = logged(tmp_path, "model")
    said = "shape() of the model 'layer' says 5,000 parameters, and the network has 20: MFU is left out"
    assert (found["warning"], found["shape"], found["share"]) == (said, None, None)


def test_a_model_in_another_type_is_refused(tmp_path):
    with pytest.raises(BenchspecError, match=r"parameters are bfloat16; Model\.build must return float32"):
        build(tmp_path, Layer({"dtype": torch.bfloat16}))


def test_backends_learn_the_blocks_that_a_model_names(tmp_path):
    class Blocked(Layer):
        blocks = ("Linear",)

    assert build(tmp_path, Blocked({}))._no_split_modules == ["Linear"]
    assert not hasattr(build(tmp_path, Layer({})), "_no_split_modules")


def test_an_attention_that_a_model_has_not_is_a_mistake(tmp_path):
    with pytest.raises(BenchspecError, match=r"Linear has only one attention; set train\.attention to auto"):
        build(tmp_path, Layer({}), attention="eager")

    class Refusing(torch.nn.Linear):
        def set_attn_implementation(self, name):
            raise ValueError(f"no {name} here\nand a long explanation")

    class Stubborn(Layer):
        def build(self):
            return Refusing(4, 4)

    with pytest.raises(BenchspecError, match=r"^Refusing has no sdpa attention: no sdpa here$"):
        build(tmp_path, Stubborn({}), attention="sdpa")
