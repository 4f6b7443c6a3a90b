"""The data set `alpaca`: valid and invalid files, the hub's cache, and warnings about rows unlike the paper's."""

import json
import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchspec import BenchspecError, Row
from benchspec_plugins.datasets.alpaca import PUBLISHED_ROWS, PUBLISHED_WORDS, Alpaca

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"

ROWS = [
    {"instruction": "Add the numbers.", "input": "2 and 3", "output": "5"},
    {"instruction": "Name a river.", "input": "", "output": "The Nile."},
]


def rows_of(path):
    return list(Alpaca({"path": str(path)}).rows())


def written(folder, text, name="rows.json"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def error_of(path):
    with pytest.raises(BenchspecError) as caught:
        rows_of(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_json_array(tmp_path):
    path = written(tmp_path, json.dumps(ROWS, indent=2))
    assert rows_of(path) == [Row("Add the numbers.", "2 and 3", "5"), Row("Name a river.", "", "The Nile.")]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_json_lines_whatever_the_suffix(tmp_path, name):
    path = written(tmp_path, "\n".join(map(json.dumps, ROWS)) + "\n\n", name)
    assert rows_of(path) == [Row(**row) for row in ROWS]


def test_a_line_separator_inside_a_string_ends_no_line(tmp_path):
    path = written(tmp_path, '{"instruction": "a\u2028b", "input": "", "output": "c"}\n', "rows.jsonl")
    assert rows_of(path) == [Row("a\u2028b", "", "c")]


def test_a_byte_order_mark_is_no_text(tmp_path):
    assert rows_of(written(tmp_path, b"\xef\xbb\xbf" + json.dumps(ROWS).encode())) == [Row(**row) for row in ROWS]


@pytest.mark.parametrize("row", [{}, {"input": None}, {"input": "", "text": "the whole prompt", "id": 7}])
def test_input_may_be_absent_and_other_keys_are_ignored(tmp_path, row):
    assert rows_of(written(tmp_path, json.dumps([{"instruction": "a", "output": "b", **row}]))) == [Row("a", "", "b")]


def test_an_answer_may_be_empty_as_some_of_alpacas_are(tmp_path):
    assert rows_of(written(tmp_path, '[{"instruction": "a", "input": "", "output": ""}]')) == [Row("a", "", "")]


def test_a_file_is_read_once(tmp_path):
    path = written(tmp_path, json.dumps(ROWS))
    data = Alpaca({"path": str(path)})
    first = data.rows()
    path.unlink()
    assert data.rows() is first
    assert data.order() is None


def test_real_rows():
    path = SHARED / "alpaca_en_demo.json"
    if not path.exists():
        pytest.skip(f"{path} is not here: real rows are not part of the repository")
    rows = rows_of(path)
    assert len(rows) == 999
    assert sum(bool(row.input) for row in rows) == 412


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("[]", "contains no rows"),
        ('{\n  "data": []\n}', "contains an object instead of a list of rows"),
        ('[\n{"instruction": oops}\n]', "rows.json:2:17: invalid JSON"),
        ("42", "row 1 (line 1): a number instead of an object"),
        ("[" * 100_000, "JSON from line 1 on cannot be read"),
        ("[" + "1" * 5_000 + "]", "JSON from line 1 on cannot be read"),
        (b"\x1f\x8b\x08\x00binary", "not UTF-8 text (at byte 1)"),
        (b"\x00\x01\x02", "rows.json:1:1: invalid JSON"),
    ],
)
def test_files_without_valid_rows(tmp_path, text, said):
    message = error_of(written(tmp_path, text))
    assert str(tmp_path / "rows.json") in message
    assert said in message


def test_an_error_in_json_lines_names_the_line(tmp_path):
    text = json.dumps(ROWS[0]) + '\n\n{"instruction": oops}\n'
    assert "rows.jsonl:3:17: invalid JSON" in error_of(written(tmp_path, text, "rows.jsonl"))


def test_a_missing_file_and_a_folder(tmp_path):
    assert "none.json: cannot be read: No such file" in error_of(tmp_path / "none.json")
    assert "cannot be read: Is a directory" in error_of(tmp_path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["a", "b"], "row 2: a list instead of an object"),
        (None, "row 2: null instead of an object"),
        ({"prompt": "a", "response": "b"}, "row 2: no key 'instruction' (found: 'prompt', 'response')"),
        ({"instruction": "a", "Output": "b"}, "row 2: no key 'output' (found: 'instruction', 'Output')"),
        ({"instruction": "a", "inputs": "b", "output": "c"}, "row 2: no key 'input'"),
        ({"instruction": "a", "input": "", "output": 5}, "row 2: 'output' is a number; it must be a string"),
        ({"instruction": None, "input": "", "output": ""}, "row 2: 'instruction' is null; it must be a string"),
        ({"instruction": "a", "input": ["b"], "output": "c"}, "row 2: 'input' is a list"),
        ({"instruction": "a", "input": "", "output": "\ud800"}, "row 2: 'output' contains a lone surrogate"),
        ({f"column {number}": "" for number in range(50)}, "'column 7' and 42 more)"),
    ],
)
def test_invalid_rows(tmp_path, row, said):
    assert said in error_of(written(tmp_path, json.dumps([ROWS[0], row])))


def test_a_bad_row_of_json_lines_is_named_by_row_and_line(tmp_path):
    text = f"\n{json.dumps(ROWS[0])}\n\n{{}}\n"
    assert "row 2 (line 4): no key 'instruction' (found: none)" in error_of(written(tmp_path, text, "rows.jsonl"))


def full_set(folder, words):
    """As many rows as Alpaca has, with this many words in total."""
    mean, more = divmod(words, PUBLISHED_ROWS)
    rows = [["a b", "c", "w " * (mean - 3 + (number < more))] for number in range(PUBLISHED_ROWS)]
    keys = ("instruction", "input", "output")
    return written(folder, json.dumps([dict(zip(keys, row, strict=True)) for row in rows]))


def test_the_published_counts_give_no_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(rows_of(full_set(tmp_path, PUBLISHED_WORDS))) == PUBLISHED_ROWS


def test_other_words_in_as_many_rows_are_a_warning(tmp_path):
    path = full_set(tmp_path, PUBLISHED_WORDS - 1)
    with pytest.warns(UserWarning, match=r"3,025,586 words in 52,002 rows; the paper counted 3,025,587"):
        assert len(rows_of(path)) == PUBLISHED_ROWS


def test_a_file_of_another_size_gives_no_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows_of(written(tmp_path, json.dumps(ROWS)))


FILL_CACHE = """
import json, os
from pathlib import Path
from datasets import Dataset

folder = Path(os.environ["HF_HOME"], "datasets/tatsu-lab___alpaca/default/0.0.0", "d" * 40)
Dataset.from_list(
    [{"instruction": "Name a river.", "input": "", "output": "The Nile.", "text": "Below is ..."}] * 3
).save_to_disk(folder)
(folder / "data-00000-of-00001.arrow").rename(folder / "alpaca-train.arrow")
train = {"name": "train", "num_bytes": 1, "num_examples": 3, "dataset_name": "alpaca"}
info = json.loads((folder / "dataset_info.json").read_text())
info |= {"config_name": "default", "dataset_name": "alpaca", "splits": {"train": train}}
(folder / "dataset_info.json").write_text(json.dumps(info))
"""

LOAD = """
from benchspec import BenchspecError
from benchspec_plugins.datasets.alpaca import Alpaca

try:
    print(len(rows := Alpaca({"path": None}).rows()), rows[2])
except BenchspecError as error:
    print(error)
"""


def offline(code, home):
    """A fresh interpreter without network: `datasets` reads its settings when it is imported."""
    env = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    env.pop("HF_DATASETS_CACHE", None)
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)


@pytest.mark.skipif(find_spec("datasets") is None, reason="needs the library datasets: pip install -e '.[train]'")
def test_the_hubs_rows_come_from_its_cache_with_a_warning_if_they_are_not_all(tmp_path):
    offline(FILL_CACHE, tmp_path)
    done = offline(LOAD, tmp_path)
    assert done.stdout.strip() == "3 Row(instruction='Name a river.', input='', output='The Nile.')"
    assert "tatsu-lab/alpaca has 3 rows; the paper counted 52,002" in done.stderr


@pytest.mark.skipif(find_spec("datasets") is None, reason="needs the library datasets: pip install -e '.[train]'")
def test_without_hub_and_cache_the_message_says_what_to_do(tmp_path):
    lines = offline(LOAD, tmp_path).stdout.strip().splitlines()
    assert len(lines) == 1
    assert "'tatsu-lab/alpaca' cannot be loaded" in lines[0]
    assert all(way in lines[0] for way in ("`path:`", "`dataset: synthetic`", "HF_HOME"))


def test_without_the_library_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(BenchspecError, match=r"pip install -e '\.\[train\]'.*`path:`.*`dataset: synthetic`"):
        Alpaca({"path": None}).rows()


def test_a_long_key_is_shortened(tmp_path):
    message = error_of(written(tmp_path, json.dumps([{"x" * 100_000: "", "output": ""}])))
    assert len(message) < 300 and "…" in message


# Identity


def identity(path):
    return Alpaca({"path": str(path)}).identity()


def test_a_files_identity_is_of_its_content(tmp_path):
    path = written(tmp_path, json.dumps(ROWS))
    first = identity(path)
    os.utime(path, ns=(1, 1))
    assert identity(path) == identity(written(tmp_path, json.dumps(ROWS), "copy.json")) == first
    assert identity(written(tmp_path, json.dumps(ROWS).replace("5", "6"))) != first


def test_a_large_file_is_known_by_size_and_last_change(tmp_path, monkeypatch):
    monkeypatch.setattr("benchspec_plugins.datasets.json_rows.LARGE", 10)
    path = written(tmp_path, json.dumps(ROWS))
    first = identity(path)
    assert f"{path.stat().st_size} bytes" in first
    os.utime(path, ns=(1, 1))
    assert identity(path) != first


def test_what_cannot_be_read_or_is_the_hubs_has_no_identity(tmp_path):
    assert identity(tmp_path / "nowhere.json") is None
    assert identity(tmp_path) is None
    os.mkfifo(tmp_path / "pipe")
    assert identity(tmp_path / "pipe") is None
    assert Alpaca({"path": None}).identity() is None
