"""What an editor shows in a spec, with a real YAML language server and the schema that `benchspec schema` prints."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import benchspec
from language_server import LanguageServer

pytestmark = pytest.mark.slow

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
SERVER = "yaml-language-server@1.25.0"
HEAD = """\
benchspec: 1
name: demo
experiments:
  sizes:
    dataset: {name: resampled, of: {name: synthetic}, rows: 10_000}
    matrix:
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the language server from npm, and the schema."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("editor")
    options = ["--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=30000", "--ignore-scripts"]
    try:
        done = subprocess.run(
            ["npm", "install", *options, SERVER], cwd=folder, capture_output=True, text=True, timeout=180
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not answer within 3 minutes")
    if done.returncode:
        pytest.skip(f"npm cannot install {SERVER}: {done.stderr.strip().splitlines()[-1:]}")
    (folder / "spec.schema.json").write_text(benchspec("schema", cwd=folder).stdout)
    return folder


@pytest.fixture(scope="module")
def editor(folder):
    server = LanguageServer(folder)
    yield server
    server.stop()


@pytest.fixture
def opened(editor, folder, request):
    """Opens a document, in which `|` marks the cursor; gives its address, the cursor and the diagnostics."""
    uri = f"file://{folder}/{abs(hash(request.node.nodeid))}.yaml"

    def opened(text):
        text = f"# yaml-language-server: $schema=file://{folder}/spec.schema.json\n{text}"
        before = text.partition("|")[0].split("\n")
        return uri, (len(before) - 1, len(before[-1])), editor.opened(text.replace("|", ""), uri)

    return opened


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_our_specs_have_no_mistakes(opened, file):
    assert opened(file.read_text().replace("|", "/"))[2] == []


def test_a_matrix_without_mistakes(opened):
    matrix = """\
      model: [opt-1.3b, {name: opt-6.7b, weights: random}]
      dataset.rows: [10_000, 20000]
      limits.timeout: [15 min, 6h, 90]
      include: [{model: opt-13b, train.batch_size: 4}]
"""
    assert opened(HEAD + matrix)[2] == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("model: [opt-1.3c]", 'Value is not accepted. Valid values: "bloom"'),
        ("backend.stage: [4]", "Value is not accepted. Valid values: 0, 1, 2, 3."),
        ("backend: [{name: deepspeed, stage: 7}]", "Value is not accepted. Valid values: 0, 1, 2, 3."),
        ("train.bach_size: [4]", "Property train.bach_size is not allowed."),
        ("train.batch_size: [four]", "Expected integer"),
        ("limits.timeout: [15 mins]", "Expected a number with a unit such as 15 min (units: ms, s, min, h, d)"),
        ("include: [{modle: opt-13b}]", "Property modle is not allowed."),
    ],
)
def test_a_mistake_in_a_matrix_is_marked_once(opened, line, message):
    (found,) = opened(f"{HEAD}      {line}\n")[2]
    assert found.startswith(f"{line}: {message}")


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("      |\n", {"model", "dataset.rows", "train.batch_size", "backend.stage", "include", "limits.timeout"}),
        ("      model: [opt-13b]\n      tr|\n", {"train.batch_size", "train.learning_rate"}),
        ("      model:\n        - |\n", {"opt-13b", "bloom-7b1", "name"}),
        ("      train.precision:\n        - |\n", {"bf16", "fp32"}),
        ("      backend:\n        - name: deepspeed\n          |\n", {"stage", "offload_param"}),
        ("      include:\n        - |\n", {"model", "train.batch_size"}),
    ],
)
def test_what_is_offered_in_a_matrix(editor, opened, text, offered):
    uri, cursor, _ = opened(HEAD + text)
    assert offered <= editor.completion(uri, *cursor)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("      backend.st|age: [3]\n", "Axis: what is spread"),
        ("      train.batch|_size: [3]\n", "Axis: rows per process and micro-batch"),
        (
            "      backend: [{name: deepspeed, off|load_param: {device: cpu}}]\n",
            "keep parameters in host memory (stage 3)",
        ),
        ("      dataset: [{name: resampled, o|f: synthetic, rows: 10}]\n", "the data set to draw rows from"),
        ("      dataset: [{name: resampled, of: {name: synthetic, ro|ws: 5}, rows: 10}]\n", "number of rows"),
    ],
)
def test_what_is_explained_under_the_cursor(editor, opened, text, shown):
    uri, cursor, _ = opened(HEAD + text)
    assert shown in editor.hover(uri, *cursor)
