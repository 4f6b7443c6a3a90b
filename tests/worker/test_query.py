"""The query: asked of what was saved, in a process of its own."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import FAMILIES, create, small_tokenizer, tiny
from ranks import logged, rank

from benchspec.terms.errors import BenchspecError
from benchspec.worker import answering, query
from benchspec_plugins.methods.adapter import Adapter
from benchspec_plugins.methods.frozen import Frozen
from benchspec_plugins.methods.full import Full
from benchspec_plugins.methods.lora import Lora

TEMPLATES = {"with_input": "Do {instruction} with {input}:", "without_input": "Do {instruction}:"}
METHODS = {"full": Full, "frozen": Frozen, "lora": Lora, "adapter": Adapter}
IDS = torch.tensor([[3, 4, 5, 6]])


def test_prompts_are_put_into_the_template_with_an_input_or_without():
    query = {"prompts": ["sums", {"instruction": "sums", "input": "2, 3"}, {"instruction": "{x}", "input": ""}]}
    found = answering.prompts(query, TEMPLATES)
    assert [prompt.text for prompt in found] == ["Do sums:", "Do sums with 2, 3:", "Do {x}:"]
    assert [prompt.said for prompt in found] == ["sums", "sums\n2, 3", "{x}"]
    assert [prompt.text for prompt in answering.prompts(query, None)] == ["sums", "sums\n2, 3", "{x}"]


def saved(folder, family, method):
    """A checkpoint of a model whose trained parameters have changed, and what it computes."""
    torch.manual_seed(1)
    network = create(METHODS[method], {}).apply(tiny(family))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 if parameter.requires_grad else 0)
    network.save_pretrained(str(folder))
    small_tokenizer().save_pretrained(str(folder))
    return computed(network)


def computed(network):
    with torch.no_grad():
        return network.eval()(input_ids=IDS).logits


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_has_saved_is_loaded_as_it_was(tmp_path, family, method):
    wanted = saved(tmp_path, family, method)
    torch.manual_seed(7)
    loaded = create(METHODS[method], {}).load(str(tmp_path), torch.float32)
    assert torch.equal(computed(loaded), wanted)


@pytest.mark.parametrize("method", METHODS)
def test_a_checkpoint_is_loaded_in_the_precision_that_is_asked_for(tmp_path, method):
    saved(tmp_path, "opt", method)
    loaded = create(METHODS[method], {}).load(str(tmp_path), torch.bfloat16)
    assert computed(loaded).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("method", "file"),
    [("full", "model"), ("frozen", "model"), ("lora", "adapter_model"), ("adapter", "adapter")],
)
def test_an_incomplete_checkpoint_is_not_completed_with_random_numbers(tmp_path, method, file):
    from safetensors.torch import load_file, save_file

    saved(tmp_path, "opt", method)
    path = tmp_path / f"{file}.safetensors"
    tensors = load_file(path)
    dropped = sorted(name for name in tensors if "layers.1" in name)[0]
    save_file({name: tensor for name, tensor in tensors.items() if name != dropped}, path, {"format": "pt"})
    with pytest.raises(BenchspecError, match=f"{tmp_path}.*(lacks 1 of|in one of them only)"):
        create(METHODS[method], {}).load(str(tmp_path), torch.float32)


def job(folder, **save):
    made = rank(folder)
    asked = {"prompts": ["w5 w6", "w7"], "max_new_tokens": 4, "temperature": 0.0, "seed": 1, "batch_size": 8}
    case = {
        **{"id": "a-1", "experiment": "one", "axes": {}, "expected": ["ok"], "said": {}, "measure": {}, "limits": {}},
        **{"model": {"name": "opt-tiny"}, "dataset": {"name": "synthetic"}, "method": {"name": "full"}},
        **{"recipe": {"name": "alpaca"}, "backend": {"name": "single"}, "launcher": {"name": "torchrun"}},
        "train": {"precision": "fp32", "attention": "auto", "save": save or None},
        "query": asked,
    }
    (folder / "case.json").write_text(json.dumps({**case, "invocation": "7"}))
    made.case.train, made.case.query = case["train"], asked
    return made


def test_a_recipe_that_saves_nothing_is_named(tmp_path):
    with pytest.raises(BenchspecError, match="the recipe 'mine' has saved no checkpoint in 'final'"):
        query.ask(job(tmp_path))


@pytest.mark.parametrize("kept", [True, False])
def test_a_fresh_process_answers_and_the_checkpoint_stays_only_if_the_spec_keeps_it(tmp_path, kept, monkeypatch):
    # What torchrun tells a rank would have the fresh process join a group.
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("RANK", "3")
    saved(tmp_path / "final", "opt", "full")
    query.ask(job(tmp_path, final=kept))
    (batch,) = logged(tmp_path, "answers")
    assert [answer["prompt"] for answer in batch["answers"]] == ["w5 w6", "w7"]
    assert batch["peak_memory"] > 0
    assert (tmp_path / "final").is_dir() == kept


def test_the_fresh_process_reports_what_it_fails_of(tmp_path):
    saved(tmp_path / "final", "opt", "full")
    (tmp_path / "final/model.safetensors").write_bytes(b"cut off")
    with pytest.raises(query.AlreadyReported):
        query.ask(job(tmp_path))
    (failure,) = logged(tmp_path, "failure")
    assert (failure["phase"], failure["outcome"]) == ("query", "crash")
    assert (tmp_path / "final").is_dir()
