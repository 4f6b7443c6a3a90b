"""A request is answered from the cache, and what it depends on is told apart."""

import errno
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("transformers")

import numpy as np
from filelock import FileLock
from token_data import PLAIN_ROWS, Listed, Unwrapped, papers, prepared, word_tokenizer

from benchspec.kinds.values import Row
from benchspec.terms.errors import BenchspecError, RunError


@pytest.fixture
def words() -> Any:
    return word_tokenizer()


def test_an_order_repeats_rows(words: Any, tmp_path: Path) -> None:
    once = prepared(Listed(PLAIN_ROWS), words, tmp_path)
    order = [1, 1, 0, 1]
    data = prepared(Listed(PLAIN_ROWS, np.array(order)), words, tmp_path, settings={"name": "ordered"})
    assert len(data) == data.rows == 4
    assert [data[place]["prompt"] for place in range(4)] == [once[row]["prompt"] for row in order]
    assert data[3]["input_ids"].tolist() == once[1]["input_ids"].tolist()
    assert data.words == 3 * 10 + 4
    with pytest.raises(IndexError):
        data[4]


def test_rows_are_asked_for_once_a_request_and_tokenized_once(words: Any, tmp_path: Path) -> None:
    dataset = Listed(PLAIN_ROWS)
    prepared(dataset, words, tmp_path)
    (manifest,) = tmp_path.glob("cache/*/manifest.json")
    written = manifest.stat().st_mtime_ns
    assert len(prepared(dataset, words, tmp_path)) == 3
    assert dataset.asked == 1
    prepared(dataset, words, tmp_path, invocation="a later run")
    assert dataset.asked == 2
    assert [file.stat().st_mtime_ns for file in tmp_path.glob("cache/*/manifest.json")] == [written]


def test_what_the_tokens_depend_on_is_told_apart(words: Any, tmp_path: Path) -> None:
    prepared(Listed(PLAIN_ROWS), words, tmp_path)
    changed = [Row("Name a colour", "red", ""), *PLAIN_ROWS[1:]]
    prepared(Listed(changed), words, tmp_path, settings={"name": "rows"})
    prepared(Listed(PLAIN_ROWS), words, tmp_path, max_length=100, settings={"name": "length"})
    assert len(list(tmp_path.glob("cache/*/manifest.json"))) == 3


def test_ranks_that_ask_at_once_wait_for_the_first(tmp_path: Path) -> None:
    dataset, found = Listed(PLAIN_ROWS), []

    def rank(tokenizer: Any) -> None:
        found.append(prepared(dataset, tokenizer, tmp_path))

    # Each has a tokenizer of its own, as processes have: its settings change while it is in use.
    ranks = [threading.Thread(target=rank, args=[word_tokenizer()]) for _ in range(4)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert dataset.asked == 1
    assert [len(data) for data in found] == [3] * 4


def test_what_a_killed_process_left_is_replaced(words: Any, tmp_path: Path) -> None:
    prepared(Listed(PLAIN_ROWS), words, tmp_path)
    (manifest,) = tmp_path.glob("cache/*/manifest.json")
    manifest.unlink()
    (manifest.parent / "ids.npy").write_bytes(b"half of it")
    data = prepared(Listed(PLAIN_ROWS), words, tmp_path)
    assert data[0]["input_ids"].tolist() == papers(PLAIN_ROWS[0], words, 512)[0]


@pytest.mark.parametrize("order", ["abc", 3, {1, 2}, [[0, 1]], [0.5], [True, False]])
def test_an_order_of_something_else_names_the_dataset(words: Any, tmp_path: Path, order: Any) -> None:
    with pytest.raises(BenchspecError, match=r"dataset 'listed': order\(\) must return a one-dimensional array of int"):
        prepared(Listed(PLAIN_ROWS, order), words, tmp_path)


def test_no_rows_and_a_wrong_order_are_mistakes(words: Any, tmp_path: Path) -> None:
    with pytest.raises(BenchspecError, match="dataset 'listed' has no rows"):
        prepared(Listed([]), words, tmp_path)
    with pytest.raises(BenchspecError, match="contains the index 3, but there are 3 rows"):
        prepared(Listed(PLAIN_ROWS, np.array([0, 3])), words, tmp_path)
    with pytest.raises(BenchspecError, match="contains the index -1, but there are 3 rows"):
        prepared(Listed(PLAIN_ROWS, np.array([0, -1])), words, tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["just text"], "row 1 is not a Row of three strings: 'just text'"),
        ([Row("a", "", "b"), Row("a", "", 3)], "row 2 is not a Row of three strings"),  # type: ignore[arg-type]
        (7, "must return a sequence of Row, not int"),
        (iter([Row("a", "", "b")]), "must return a sequence of Row, not list_iterator"),
    ],
)
def test_a_dataset_that_gives_something_else_than_rows_is_named(rows: Any, message: str, words: Any, tmp_path: Path):
    with pytest.raises(BenchspecError, match=message):
        prepared(Listed(rows), words, tmp_path)


class Mapped(Listed):
    """Rows and an order whose identity says whether they have changed."""

    name = "mapped"

    def order(self) -> Any:
        assert self.asked, "the order is not asked for where the rows are not"
        return np.array([2, 0])


def test_rows_of_the_same_identity_are_not_asked_for_in_a_later_run(words: Any, tmp_path: Path) -> None:
    first = prepared(Mapped(PLAIN_ROWS, identity="v1"), words, tmp_path)
    again = Mapped(PLAIN_ROWS, identity="v1")
    later = prepared(again, words, tmp_path, invocation="a later run")
    assert again.asked == 0
    assert (later.rows, later.words, later.tokens) == (first.rows, first.words, first.tokens)
    assert [row["input_ids"].tolist() for row in later] == [row["input_ids"].tolist() for row in first]


@pytest.mark.parametrize("changed", [{"identity": "v2"}, {"identity": None}])
def test_rows_of_another_identity_or_none_are_asked_for(changed: Any, words: Any, tmp_path: Path) -> None:
    prepared(Listed(PLAIN_ROWS, identity="v1"), words, tmp_path)
    other = Listed(PLAIN_ROWS[:2], **changed)
    assert len(prepared(other, words, tmp_path, invocation="a later run")) == 2
    assert other.asked == 1


@pytest.mark.parametrize("change", ["settings", "max_length", "tokenizer"])
def test_an_identity_is_one_of_rows_alone(change: str, words: Any, tmp_path: Path) -> None:
    prepared(Listed(PLAIN_ROWS, identity="v1"), words, tmp_path)
    other = Listed(PLAIN_ROWS, identity="v1")
    tokenizer = words if change != "tokenizer" else Unwrapped(words)
    changes = {"settings": {"settings": {"name": "listed", "seed": 2}}, "max_length": {"max_length": 100}}
    prepared(other, tokenizer, tmp_path, invocation="a later run", **changes.get(change, {}))
    assert other.asked == 1


@pytest.mark.parametrize("lost", ["*/manifest.json", "order-*.npy"])
def test_an_identity_whose_arrays_are_gone_is_prepared_again(lost: str, words: Any, tmp_path: Path) -> None:
    prepared(Mapped(PLAIN_ROWS, identity="v1"), words, tmp_path)
    (file,) = (tmp_path / "cache").glob(lost)
    file.unlink()
    again = Mapped(PLAIN_ROWS, identity="v1")
    assert len(prepared(again, words, tmp_path, invocation="a later run")) == 2
    assert again.asked == 1


def test_rows_that_change_while_they_are_read_are_not_kept_under_an_identity(words: Any, tmp_path: Path) -> None:
    class Changing(Listed):
        def rows(self) -> Any:
            self._identity = "v2"
            return super().rows()

    prepared(Changing(PLAIN_ROWS, identity="v1"), words, tmp_path)
    for identity in ("v1", "v2"):
        later = Changing(PLAIN_ROWS, identity=identity)
        prepared(later, words, tmp_path, invocation=f"a run that finds {identity}")
        assert later.asked == 1


def test_an_identity_is_a_string(words: Any, tmp_path: Path) -> None:
    message = r"dataset 'listed': identity\(\) must return a string or None, not int"
    with pytest.raises(BenchspecError, match=message):
        prepared(Listed(PLAIN_ROWS, identity=7), words, tmp_path)


def test_a_cache_that_cannot_be_locked_is_one_line(words: Any, tmp_path: Path, monkeypatch: Any) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(FileLock, "acquire", refused)
    with pytest.raises(RunError, match=r"^the token arrays cannot be written to .*: Read-only file system$"):
        prepared(Listed(PLAIN_ROWS), words, tmp_path)


# Damage


def damaged(file: Path, how: str) -> None:
    """Damage a file as a power failure or a bad disk may: cut it off, empty it, or change a byte of its content."""
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    # The tokens of the test itself are still mapped.
    file.unlink()
    file.write_bytes(
        {"cut off": content[: len(content) // 2], "empty": b"", "changed": content, "zeros": bytes(len(content))}[how]
    )


ALL = ["ids.npy", "starts.npy", "prompts.npy", "words.npy", "tokens.npy", "manifest.json"]
ANEW = r"warning: \S*{} is damaged and made anew: .+"


@pytest.mark.parametrize(
    ("name", "how"),
    [*((name, "zeros") for name in ALL), *(("ids.npy", how) for how in ("cut off", "empty", "changed"))],
)
@pytest.mark.parametrize("identity", [None, "v1"])
def test_damaged_arrays_are_made_anew_in_the_next_run(
    name: str, how: str, identity: Any, words: Any, tmp_path: Path, capsys: Any
) -> None:
    before = prepared(Listed(PLAIN_ROWS, identity=identity), words, tmp_path)
    expected = [row["input_ids"].tolist() for row in before], before.prepared
    (file,) = tmp_path.glob(f"cache/*/{name}")
    damaged(file, how)
    data = prepared(Listed(PLAIN_ROWS, identity=identity), words, tmp_path, invocation="a later run")
    assert ([row["input_ids"].tolist() for row in data], data.prepared) == expected
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(ANEW.format(file.parent.name), line)


@pytest.mark.parametrize("how", ["cut off", "empty", "changed", "zeros"])
def test_a_damaged_order_is_made_anew_in_the_next_run(how: str, words: Any, tmp_path: Path, capsys: Any) -> None:
    first = prepared(Mapped(PLAIN_ROWS, identity="v1"), words, tmp_path)
    (file,) = (tmp_path / "cache").glob("order-*.npy")
    damaged(file, how)
    data = prepared(Mapped(PLAIN_ROWS, identity="v1"), words, tmp_path, invocation="a later run")
    assert [row["prompt"] for row in data] == [row["prompt"] for row in first]
    assert data.prepared == first.prepared
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(ANEW.format(file.name), line)


@pytest.mark.parametrize("name", ["*/ids.npy", "order-*.npy"])
def test_another_size_is_noticed_even_within_a_run(name: str, words: Any, tmp_path: Path, capsys: Any) -> None:
    prepared(Mapped(PLAIN_ROWS), words, tmp_path)
    (file,) = (tmp_path / "cache").glob(name)
    damaged(file, "cut off")
    assert len([row["input_ids"].tolist() for row in prepared(Mapped(PLAIN_ROWS), words, tmp_path)]) == 2
    assert "damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"invocation": "1"}', b"\xff", b'{"prepared": {"rows": 1}}']
)
@pytest.mark.parametrize("folder", ["run/data", "cache"])
def test_a_pointer_that_cannot_be_read_is_worked_out_again(
    folder: str, content: bytes, words: Any, tmp_path: Path
) -> None:
    first = prepared(Listed(PLAIN_ROWS, identity="v1"), words, tmp_path)
    (pointer,) = (tmp_path / folder).glob("*.json")
    good = pointer.read_bytes()
    pointer.write_bytes(content)
    again = Listed(PLAIN_ROWS, identity="v1")
    invocation = "1" if folder == "run/data" else "a later run"
    assert prepared(again, words, tmp_path, invocation=invocation).prepared == first.prepared
    assert pointer.read_bytes() == good


def test_arrays_are_on_the_disk_before_their_manifest(words: Any, tmp_path: Path, monkeypatch: Any) -> None:
    synced: list[str] = []
    plain = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(re.sub(r"^\.(.*)\.[0-9a-f]+$", r"\1", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    prepared(Mapped(PLAIN_ROWS), words, tmp_path)
    assert [name for name in synced if name in ALL] == ALL
    (order,) = (tmp_path / "cache").glob("order-*.npy")
    assert order.name in synced


# What is recorded of the tokens


def test_the_fingerprint_is_of_the_tokens_and_their_order(words: Any, tmp_path: Path) -> None:
    def found(rows: Any, order: Any = None, **changes: Any) -> str:
        order = None if order is None else np.array(order)
        name = {"name": f"{rows} {order} {changes}"}
        return prepared(Listed(rows, order), words, tmp_path, settings=name, **changes).prepared.fingerprint

    base = found(PLAIN_ROWS)
    changed = [Row("Name a colour", "", "Name"), *PLAIN_ROWS[1:]]
    others = [found(changed), found(PLAIN_ROWS[:2]), found(PLAIN_ROWS, [0, 2, 1]), found(PLAIN_ROWS, [2, 0, 1])]
    assert len({base, *others, found(PLAIN_ROWS, max_length=10)}) == 6
    assert found(PLAIN_ROWS, invocation="a later run") == base


def test_another_version_of_the_tokenizers_prepares_again_and_the_fingerprint_shows_what_came_of_it(
    words: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    first = prepared(Listed(PLAIN_ROWS), words, tmp_path).prepared
    monkeypatch.setattr("benchspec.worker.data.encode.version", lambda name: "99.0")
    again = prepared(Listed(PLAIN_ROWS), words, tmp_path).prepared
    assert again.arrays != first.arrays
    assert again.fingerprint == first.fingerprint


def test_the_identity_of_rows_that_did_not_change_meanwhile_is_recorded(words: Any, tmp_path: Path) -> None:
    assert prepared(Listed(PLAIN_ROWS, identity="v1"), words, tmp_path).prepared.identity == "v1"
    assert prepared(Listed(PLAIN_ROWS), words, tmp_path, settings={"name": "other"}).prepared.identity is None


def test_half_a_character_in_a_row_is_named(tmp_path: Path) -> None:
    rows = [*PLAIN_ROWS, Row("a", "", "b \ud800")]
    with pytest.raises(BenchspecError, match="dataset 'listed': row 4: 'output' contains a lone surrogate"):
        prepared(Listed(rows), word_tokenizer(), tmp_path)
