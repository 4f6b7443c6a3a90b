"""What opt, gpt-j, bloom and hf have in common: tokenizers, weights, vocabularies, and errors that say what to do."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchspec import PluginError
from benchspec_plugins.models.bloom import Bloom
from benchspec_plugins.models.byte_tokenizer import SIZE, byte_tokenizer
from benchspec_plugins.models.gpt_j import GPTJ
from benchspec_plugins.models.hf import HF
from benchspec_plugins.models.opt import OPT

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

FAMILIES = {"opt": OPT, "gpt-j": GPTJ, "bloom": Bloom}
TINY = {"opt": "opt-tiny", "gpt-j": "gpt-j-tiny", "bloom": "bloom-tiny"}
REAL_TOKENIZER = Path(__file__).resolve().parents[2].parent / "shared" / "tokenizers" / "opt"


def create(cls: type, preset: str | None = None, **given: Any) -> Any:
    """A model as a plan creates it: the given options override the preset's, which override the defaults."""
    defaults = {key: f["default"] for key, f in cls.options_schema["properties"].items() if "default" in f}
    return cls({**defaults, **(cls.presets[preset] if preset else {}), **given})


def counted(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def assert_counts(model: Any) -> Any:
    """The network, built on the meta device, which takes no memory; its parameters are as many as its shape says."""
    with torch.device("meta"):
        network = model.build()
    assert counted(network) == model.shape().parameters
    assert set(model.blocks) <= {type(module).__name__ for module in network.modules()}
    return network


def error_of(action: Any) -> str:
    with pytest.raises(PluginError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if a host name is resolved or a connection made: nothing here may need a network."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        pytest.fail(f"asked the network: {args}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder per family, written by `save_pretrained`, in float16 like the published OPT."""
    folders = {family: tmp_path_factory.mktemp(family) for family in FAMILIES}
    for family, folder in folders.items():
        model = create(FAMILIES[family], TINY[family])
        model.build().to(torch.float16).save_pretrained(folder)
        model.tokenizer().save_pretrained(folder)
    return folders


@pytest.fixture
def copy(checkpoints: dict[str, Path], tmp_path: Path) -> Path:
    """A checkpoint of opt that a test may change."""
    return Path(shutil.copytree(checkpoints["opt"], tmp_path / "copy"))


def rewrite(folder: Path, **fields: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


@pytest.mark.parametrize("family", FAMILIES)
def test_random_weights_come_from_the_seed_in_float32(family: str) -> None:
    networks = []
    for seed in (1, 1, 2):
        transformers.set_seed(seed)
        networks.append(create(FAMILIES[family], TINY[family]).build())
    first, same, other = (torch.cat([p.flatten() for p in network.parameters()]) for network in networks)
    assert first.dtype == torch.float32
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert networks[0].config.use_cache is False


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_model_learns_rows_of_the_default_length(family: str) -> None:
    model = create(FAMILIES[family], TINY[family])
    network = model.build()
    ids = torch.randint(SIZE, (2, 512))
    network(input_ids=ids, labels=ids).loss.backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network.config.vocab_size == 320  # 258 bytes and special tokens, up to a multiple of 64


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_is_loaded_in_float32_whatever_its_dtype(family: str, checkpoints: dict[str, Path]) -> None:
    model = create(FAMILIES[family], TINY[family], weights="pretrained", tokenizer=None, path=str(checkpoints[family]))
    network = model.build()
    kept = transformers.AutoModelForCausalLM.from_pretrained(checkpoints[family], dtype=torch.float16).state_dict()
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert all(torch.equal(value, kept[name].float()) for name, value in network.state_dict().items())
    assert model.tokenizer().encode("é") == byte_tokenizer().encode("é")
    assert network.config.use_cache is False


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("weights", ["pretrained", "random"])
def test_a_folder_alone_gives_the_shape(family: str, weights: str, checkpoints: dict[str, Path]) -> None:
    model = create(FAMILIES[family], weights=weights, path=str(checkpoints[family]))
    assert model.shape() == create(FAMILIES[family], TINY[family]).shape()
    assert counted(model.build()) == model.shape().parameters


def test_weights_are_random_if_the_options_say_so(checkpoints: dict[str, Path]) -> None:
    path = str(checkpoints["opt"])
    kept, drawn = (create(OPT, path=path, weights=weights).build() for weights in ("pretrained", "random"))
    assert not torch.equal(kept.model.decoder.layers[0].fc1.weight, drawn.model.decoder.layers[0].fc1.weight)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_tiny_preset_has_random_weights_unless_it_has_a_path(family: str, checkpoints: dict[str, Path]) -> None:
    def first(**options):
        torch.manual_seed(0)
        return next(create(FAMILIES[family], TINY[family], **options).build().parameters())

    path = str(checkpoints[family])
    kept = next(create(FAMILIES[family], path=path).build().parameters())
    assert torch.equal(first(path=path), kept)
    assert torch.equal(first(), first(path=path, weights="random")) and not torch.equal(first(), kept)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"layers": 12}, "has 2 layers, but the spec says 12"),
        ({"hidden": 128}, "has a hidden size of 64, but the spec says 128"),
        ({"heads": 2}, "has 4 heads, but the spec says 2"),
        ({"ffn": 64}, "has an ffn size of 256, but the spec says 64"),
        ({"vocabulary": 50272}, "has a vocabulary of 320, but the spec says 50272"),
        ({"positions": 512}, "has 2048 positions, but the spec says 512"),
        ({"embedding": 32}, "has embeddings of width 64, but the spec says 32"),
        ({"pre_norm": False}, "has pre_norm True, but the spec says False"),
    ],
)
def test_a_checkpoint_of_another_shape(given: dict[str, Any], said: str, checkpoints: dict[str, Path]) -> None:
    model = create(OPT, path=str(checkpoints["opt"]), **given)
    assert error_of(model.shape) == error_of(model.build) == f"the checkpoint in {checkpoints['opt']} {said}"


def test_a_checkpoint_of_another_family(checkpoints: dict[str, Path]) -> None:
    model = create(OPT, path=str(checkpoints["bloom"]))
    assert error_of(model.shape) == error_of(model.build)
    assert "has the model type bloom, not opt; the model `hf` takes any" in error_of(model.build)


def test_a_variant_that_count_does_not_cover_has_no_shape(copy: Path) -> None:
    rewrite(copy, enable_bias=False)
    model = create(OPT, path=str(copy), weights="random")
    assert model.shape() is None
    model.build()
    assert model.shape() is None


def test_a_checkpoint_on_the_hub_has_a_shape_only_where_options_give_all_of_it() -> None:
    assert create(OPT, "opt-125m").shape()
    assert create(OPT, path="facebook/opt-125m").shape() is None
    # its ffn and positions are not known
    assert create(OPT, path="facebook/opt-125m", layers=12, hidden=768, heads=12, vocabulary=50272).shape() is None


def test_broken_configuration(copy: Path) -> None:
    (copy / "config.json").write_text("{")
    model = create(OPT, path=str(copy))
    assert "config.json is not valid JSON" in error_of(model.shape)
    assert "not a valid JSON file" in error_of(model.build)


@pytest.mark.parametrize(
    ("family", "fields", "untouched"),
    [
        ("opt", ["dropout"], ["attention_dropout"]),
        ("gpt-j", ["resid_pdrop", "embd_pdrop"], ["attn_pdrop"]),
        ("bloom", ["hidden_dropout"], ["attention_dropout"]),
    ],
)
@pytest.mark.parametrize("weights", ["pretrained", "random"])
def test_dropout(
    family: str, fields: list[str], untouched: list[str], weights: str, checkpoints: dict[str, Path]
) -> None:
    path = str(checkpoints[family])
    given = create(FAMILIES[family], path=path, weights=weights, dropout=0.25).build().config
    left = create(FAMILIES[family], path=path, weights=weights).build().config
    assert [getattr(given, field) for field in fields] == [0.25] * len(fields)
    assert [getattr(left, field) for field in fields] == [0.1 if family == "opt" else 0.0] * len(fields)
    assert [getattr(given, field) for field in untouched] == [0.0]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_shape_needs_layers_hidden_and_heads_or_a_path(family: str) -> None:
    model = create(FAMILIES[family], weights="random", hidden=64)
    assert error_of(model.shape) == error_of(model.build)
    assert error_of(model.shape) == f"the model '{family}' needs the options layers, heads, or a `path` to a checkpoint"


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_that_do_not_divide(family: str) -> None:
    model = create(FAMILIES[family], TINY[family], hidden=66)
    assert error_of(model.shape) == error_of(model.build)
    assert "cannot split hidden (66) evenly over 4 heads" in error_of(model.shape)


def test_the_vocabulary_of_random_weights_is_the_tokenizers(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([f"word{number}" for number in range(100)])
    tokenizer.save_pretrained(tmp_path)
    model = create(OPT, "opt-tiny", tokenizer=str(tmp_path))
    assert model.shape() is None  # only reading the tokenizer can tell
    network = model.build()
    assert network.config.vocab_size == 384  # 358, up to a multiple of 64
    assert model.shape().parameters == counted(network)
    assert create(OPT, "opt-tiny", tokenizer=str(tmp_path), vocabulary=358).build().config.vocab_size == 358


@pytest.mark.parametrize("weights", ["pretrained", "random"])
def test_a_tokenizer_that_does_not_fit(weights: str, checkpoints: dict[str, Path], tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([f"word{number}" for number in range(100)])
    tokenizer.save_pretrained(tmp_path)
    expected = "the tokenizer has 358 entries, the model's vocabulary only 320; give another `tokenizer`"
    for cls in (OPT, HF):
        model = create(cls, path=str(checkpoints["opt"]), tokenizer=str(tmp_path), weights=weights)
        assert error_of(model.build) == expected


@pytest.mark.parametrize(
    "text", ["Hello world", "", " a  b\t\r\n\n", "Grüße, 世界 🎈", "\x00\x7f\u2028\ufeff", "e\u0301 é"]
)
def test_decoding_restores_any_text(text: str) -> None:
    tokenizer = create(OPT, "opt-tiny").tokenizer()
    ids = tokenizer.encode(text)
    assert len(ids) == len(text.encode())
    assert tokenizer.decode(ids) == text


def test_every_byte_is_a_token() -> None:
    tokenizer = byte_tokenizer()
    every = "".join(map(chr, range(256))) + "".join(chr(lead << 12) for lead in range(1, 13)) + "\U00010000\U000f0000"
    assert tokenizer.decode(tokenizer.encode(every)) == every
    assert len(tokenizer) == SIZE == 1 + max(tokenizer.get_vocab().values())


def test_bytes_end_a_sequence_and_pad_it(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = byte_tokenizer()
    assert tokenizer.encode("ab</s>")[2:] == [tokenizer.eos_token_id]
    assert tokenizer.bos_token_id is None
    assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)
    tokenizer.encode("long " * 100_000)
    assert not caplog.records


def test_without_a_padding_token_eos_pads_and_is_still_trained(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    model = create(OPT, "opt-tiny", tokenizer=str(tmp_path))
    assert model.tokenizer().pad_token_id == model.tokenizer().eos_token_id == tokenizer.eos_token_id
    network = model.build()
    ids = torch.full((1, 4), tokenizer.eos_token_id)
    network.get_input_embeddings()(ids).sum().backward()
    assert network.get_input_embeddings().weight.grad[tokenizer.eos_token_id].abs().sum() > 0
    assert network.config.vocab_size == 320  # not one more


def test_random_weights_have_their_tokenizers_special_tokens() -> None:
    model = create(OPT, "opt-tiny")
    tokenizer, config = model.tokenizer(), model.build().config
    found = (config.pad_token_id, config.bos_token_id, config.eos_token_id)
    assert found == (tokenizer.pad_token_id, None, tokenizer.eos_token_id)


def test_a_tokenizer_without_an_end_of_sequence(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.eos_token = None
    tokenizer.save_pretrained(tmp_path)
    assert "has no end-of-sequence token" in error_of(create(OPT, "opt-tiny", tokenizer=str(tmp_path)).tokenizer)


def test_the_tokenizer_that_opt_was_published_with() -> None:
    if not REAL_TOKENIZER.is_dir():
        pytest.skip(f"OPT's tokenizer is not in {REAL_TOKENIZER}")
    model = create(OPT, "opt-125m", weights="random", tokenizer=str(REAL_TOKENIZER))
    tokenizer = model.tokenizer()
    assert tokenizer.encode("Hello world") == [2, 31414, 232]
    assert tokenizer.pad_token_id == 1
    config = assert_counts(model).config
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (1, 2, 2)
    without_vocabulary = create(OPT, "opt-tiny", tokenizer=str(REAL_TOKENIZER))
    assert without_vocabulary.build().config.vocab_size == 50304  # 50265, up to a multiple of 64


def test_a_missing_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchspec_plugins.models.hub.hub_reachable", lambda: False)
    said = error_of(create(OPT, "opt-125m", tokenizer="/no/such/folder").tokenizer)
    assert said == (
        "cannot load the tokenizer from '/no/such/folder': there is no such folder; "
        "give `tokenizer: FOLDER` or `tokenizer: bytes`"
    )
    said = error_of(create(OPT, "opt-125m", tokenizer="bytes", path="/no/such/folder").build)
    assert "there is no such folder; give `weights: random` or `path: FOLDER`" in said


def test_a_folder_without_the_needed_files(copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").unlink()
    said = error_of(create(OPT, path=str(copy)).build)
    assert f"cannot load the weights from '{copy}'" in said
    assert said.endswith("give `weights: random` or `path: FOLDER`")
    assert "cannot load the configuration" in error_of(create(OPT, path=str(tmp_path), tokenizer="bytes").build)
    assert "cannot load the tokenizer" in error_of(create(OPT, path=str(tmp_path)).tokenizer)


def test_a_damaged_checkpoint(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert f"cannot load the weights from '{copy}'" in error_of(create(OPT, path=str(copy)).build)


def test_weights_that_were_never_published() -> None:
    said = error_of(create(OPT, "opt-175b", tokenizer="bytes").build)
    assert "no pretrained weights of this shape on the hub" in said
    assert "`path: FOLDER`" in said
    assert "`weights: random`" in said
    nameless = create(OPT, "opt-tiny", tokenizer=None)
    assert "give `tokenizer: FOLDER` or `tokenizer: bytes`" in error_of(nameless.tokenizer)


def test_what_a_model_of_any_shape_lacks_is_known_before_it_runs() -> None:
    (said,) = create(OPT, "opt-175b").missing(False)
    assert said == error_of(create(OPT, "opt-175b", tokenizer="bytes").build)
    nameless = create(OPT, "opt-tiny", tokenizer=None)
    assert nameless.missing(False) == [error_of(nameless.tokenizer)]
    assert create(OPT, "opt-tiny").missing(False) == []


def test_code_in_a_checkpoint_is_not_run(copy: Path) -> None:
    (copy / "own.py").write_text("raise SystemExit('was run')")
    rewrite(copy, model_type="own", auto_map={"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"})
    said = error_of(create(HF, path=str(copy)).build)
    assert "it contains code of its own, which benchspec does not run" in said


class Malice:
    """Unpickling it creates the folder that it names."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_the_older_format_is_read_but_what_it_pickles_is_not_run(copy: Path, tmp_path: Path) -> None:
    network = create(OPT, path=str(copy)).build()
    (copy / "model.safetensors").unlink()
    torch.save(network.state_dict(), copy / "pytorch_model.bin")
    read = create(OPT, path=str(copy)).build()
    assert all(torch.equal(value, read.state_dict()[name]) for name, value in network.state_dict().items())
    torch.save({"lm_head.weight": Malice(tmp_path / "was-run")}, copy / "pytorch_model.bin")
    assert f"cannot load the weights from '{copy}'" in error_of(create(OPT, path=str(copy)).build)
    assert not (tmp_path / "was-run").exists()


@pytest.fixture
def hub_cache(checkpoints: dict[str, Path], tmp_path: Path) -> Path:
    """A cache as the hub's client leaves it, with the model somebody/tiny-opt."""
    folder = tmp_path / "hub" / "models--somebody--tiny-opt"
    shutil.copytree(checkpoints["opt"], folder / "snapshots" / "0123abc")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0123abc")
    return tmp_path


SCRIPT = """
import json, sys
from benchspec.kinds.registry import Registry
from benchspec import PluginError
model = Registry.load().create("model", json.loads(sys.argv[1]))
try:
    network = model.build()
    print(json.dumps([sum(p.numel() for p in network.parameters()), model.tokenizer().encode("a</s>"), model.blocks]))
except PluginError as error:
    print(json.dumps(str(error)))
"""


def in_a_process(model: Any, name: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps({"name": name, **model.options})],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(("name", "cls"), [("opt", OPT), ("hf", HF)])
def test_a_model_in_the_hubs_cache_is_found_by_its_name(name: str, cls: type, hub_cache: Path) -> None:
    model = create(cls, path="somebody/tiny-opt")
    expected = create(OPT, "opt-tiny").shape().parameters
    parameters, ids, blocks = in_a_process(model, name, HF_HOME=str(hub_cache), HF_HUB_OFFLINE="1")
    assert (parameters, blocks) == (expected, ["OPTDecoderLayer"])
    assert ids == byte_tokenizer().encode("a</s>")


def test_without_a_network_the_error_comes_at_once(hub_cache: Path) -> None:
    """Nothing listens on the address, as on a machine without a network; the hub's client would try for 23 s."""
    model = create(OPT, path="somebody/else", tokenizer="bytes")
    started = time.monotonic()
    said = in_a_process(
        model, "opt", HF_HOME=str(hub_cache), HF_HUB_OFFLINE="0", HF_ENDPOINT="http://127.0.0.1:9", no_proxy="*"
    )
    assert said == (
        "cannot load the configuration from 'somebody/else': it is not a folder, not in the local cache of the hub, and "
        "the hub cannot be reached; give `path: FOLDER`, or download it where there is a network: "
        "`hf download somebody/else`"
    )
    assert time.monotonic() - started < 20  # most of it imports


def test_modules_are_light() -> None:
    """Every command imports every plugin."""
    modules = [f"benchspec_plugins.models.{name}" for name in ("opt", "gpt_j", "bloom", "hf")]
    shape = "from benchspec_plugins.models.opt import OPT; OPT({**{k: None for k in OPT.options_schema['properties']}, **OPT.presets['opt-125m'], 'weights': 'random'}).shape()"
    heavy = "{'torch', 'transformers', 'tokenizers', 'huggingface_hub', 'safetensors'} & set(sys.modules)"
    code = f"import sys, {', '.join(modules)}; {shape}; assert not {heavy}, {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True)
