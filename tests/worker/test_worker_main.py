"""How a worker tells of a failure."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from ranks import logged, rank

from benchspec.terms.errors import BenchspecError
from benchspec.worker.__main__ import tell_failure


def test_a_mistake_is_a_line_in_the_log_and_anything_else_a_traceback(tmp_path, capsys):
    tell_failure(rank(tmp_path), BenchspecError("row 3: no key 'output'"))
    assert capsys.readouterr().err == "error: row 3: no key 'output'\n"
    tell_failure(rank(tmp_path), ValueError("no"))
    assert "ValueError: no" in capsys.readouterr().err
    first, second = logged(tmp_path, "failure")
    assert (first["mistake"], second["mistake"]) == (True, False)


def test_a_failure_that_cannot_be_written_raises_nothing():
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    tell_failure(SimpleNamespace(log=SimpleNamespace(add=full), open=[]), BenchspecError("no"))
