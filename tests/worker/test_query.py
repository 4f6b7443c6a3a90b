"""The query: asked of what was saved, in a process of its own."""

import json
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import FAMILIES, create, small_tokenizer, tiny
from ranks import logged, rank

from benchspec.kinds.checkpoints import cast
from benchspec.terms.errors import BenchspecError
from benchspec.worker import answering, query
from benchspec_plugins.methods.adapter import Adapter
from benchspec_plugins.methods.frozen import Frozen
from benchspec_plugins.methods.full import Full
from benchspec_plugins.methods.lora import Lora

#: begins anew as a query does, and says whether the file that it had open is open still
BEGINS_ANEW = """
import os, sys
from benchspec.worker import query
file = os.open(os.devnull, os.O_RDONLY)
os.set_inheritable(file, True)
query._close_at_exec()
assert os.fstat(file)
os.execv(sys.executable, [sys.executable, "-c", "import os, sys; os.fstat(int(sys.argv[1]))", str(file)])
"""
TEMPLATES = {"with_input": "Do {instruction} with {input}:", "without_input": "Do {instruction}:"}
METHODS = {"full": Full, "frozen": Frozen, "lora": Lora, "adapter": Adapter}
IDS = torch.tensor([[3, 4, 5, 6]])


def test_prompts_are_put_into_the_template_with_an_input_or_without():
    query = {"prompts": ["sums", {"instruction": "sums", "input": "2, 3"}, {"instruction": "{x}", "input": ""}]}
    found = answering.prompts(query, TEMPLATES)
    assert [prompt.text for prompt in found] == ["Do sums:", "Do sums with 2, 3:", "Do {x}:"]
    assert [prompt.said for prompt in found] == ["sums", "sums\n2, 3", "{x}"]
    assert [prompt.text for prompt in answering.prompts(query, None)] == ["sums", "sums\n2, 3", "{x}"]


def test_files_are_closed_where_the_process_begins_anew_and_not_before():
    done = subprocess.run([sys.executable, "-c", BEGINS_ANEW], capture_output=True, text=True)
    assert done.stderr.strip().endswith("OSError: [Errno 9] Bad file descriptor")


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
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.bfloat16}
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


def answered(folder):
    """What the process that asks ends with, where it is what rank 0 has become."""
    done = subprocess.run(query.command(folder), env=query.environment(), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_a_recipe_that_saves_nothing_is_named(tmp_path):
    asking = job(tmp_path)
    with pytest.raises(BenchspecError, match="the recipe 'mine' has saved no checkpoint in 'final'"):
        query.check(asking)
    assert asking.open == ["query"]


def test_a_fresh_process_answers_and_ends_the_case(tmp_path, monkeypatch):
    # What torchrun tells a rank would have the process join a group.
    for name, value in {"WORLD_SIZE": "8", "RANK": "3", "OMP_NUM_THREADS": "1", "BENCHSPEC_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    saved(tmp_path / "final", "opt", "full")
    job(tmp_path)
    assert not {"RANK", "WORLD_SIZE", "OMP_NUM_THREADS"} & set(query.environment())
    assert answered(tmp_path)[0] == 0
    (batch,) = logged(tmp_path, "answers")
    assert [answer["prompt"] for answer in batch["answers"]] == ["w5 w6", "w7"]
    assert batch["peak_memory"] > 0
    assert [event["phase"] for event in logged(tmp_path, "end")] == ["query"]
    assert len(logged(tmp_path, "done")) == 1


def test_threads_that_the_user_has_set_stay(monkeypatch):
    monkeypatch.delenv("BENCHSPEC_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert query.environment()["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(("broken", "said"), [("model.safetensors", "crash"), ("tokenizer.json", "has no tokenizer")])
def test_the_fresh_process_reports_what_it_fails_of(tmp_path, broken, said):
    saved(tmp_path / "final", "opt", "full")
    job(tmp_path)
    if broken == "model.safetensors":
        (tmp_path / "final" / broken).write_bytes(b"cut off")
    else:
        for file in (tmp_path / "final").glob("tokenizer*"):
            file.unlink()
    assert answered(tmp_path)[0] == 1
    (failure,) = logged(tmp_path, "failure")
    assert (failure["phase"], failure["outcome"]) == ("query", "crash")
    assert said in str(failure)


def test_rotary_frequencies_are_not_rounded():
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    network = LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=2, vocab_size=64))
    cast(network, torch.bfloat16)
    assert network.model.rotary_emb.inv_freq.dtype == torch.float32
    assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}
