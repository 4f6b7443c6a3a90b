"""How a worker reports a failure."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from ranks import logged, rank

from benchspec.machine.host import host
from benchspec.terms.errors import BenchspecError
from benchspec.worker.__main__ import report_failure


def test_a_mistake_is_a_line_in_the_log_and_anything_else_a_traceback(tmp_path, capsys):
    report_failure(rank(tmp_path), BenchspecError("row 3: no key 'output'"))
    assert capsys.readouterr().err == "error: row 3: no key 'output'\n"
    report_failure(rank(tmp_path), ValueError("no"))
    assert "ValueError: no" in capsys.readouterr().err
    first, second = logged(tmp_path, "failure")
    assert (first["mistake"], second["mistake"]) == (True, False)


def test_a_failure_that_cannot_be_written_raises_nothing():
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    report_failure(SimpleNamespace(log=SimpleNamespace(add=full), open=[]), BenchspecError("no"))


def test_a_failure_outside_of_phases_is_one_of_training(tmp_path):
    job = rank(tmp_path)
    report_failure(job, RuntimeError("the loss was not finite"))
    with pytest.raises(ZeroDivisionError), job.phase("save"):
        raise ZeroDivisionError
    report_failure(job, ZeroDivisionError())
    assert [event["phase"] for event in logged(tmp_path, "failure")] == ["train", "save"]


def test_a_worker_whose_case_cannot_be_read_says_so_in_its_file(tmp_path):
    (tmp_path / "case.json").write_text("{")
    command = [sys.executable, "-m", "benchspec.worker", str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "RANK": "0", "WORLD_SIZE": "1"}, timeout=120)
    assert done.returncode == 1
    (found,) = logged(tmp_path, "failure")
    assert (found["outcome"], found["phase"], found["mistake"]) == ("crash", "start", False)
    assert found["reason"].startswith("JSONDecodeError: Expecting property name")
    (started,) = logged(tmp_path, "start")
    assert (started["world"], started["host"]) == (1, host())
    assert logged(tmp_path, "done") == []
