"""A loop of one's own, measured."""

from __future__ import annotations

import json
import time

import pytest

from benchspec import Results
from benchspec.measuring import closing
from benchspec.trainer import measure


def test_a_loop_becomes_a_run_directory(tmp_path):
    with measure(tmp_path / "mine", name="My loop") as m:
        for step in range(1, 7):
            time.sleep(0.01)
            m.step(rows=4, loss=3.0 - step / 10, grad_norm=1.0)
    found = Results.load(tmp_path / "mine")
    (result,) = found
    assert (found.name, result.outcome, result.metrics["steps"]) == ("my-loop", "ok", 6)
    assert 100 < result.metrics["rows_per_second"] < 400 and result.metrics["first_loss"] == 2.9


def test_a_model_is_described_and_its_change_proven(tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Linear(4, 2)
    with measure(tmp_path / "mine", model=model) as m:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 1
        m.step(rows=1)
        m.step(rows=1)
    (result,) = Results.load(tmp_path / "mine")
    assert (result.metrics["parameters"], result.proof["parameters_changed"]) == (10, 2)
    assert result.case.startswith("linear-")


def test_weights_that_are_not_finite_are_no_learning_whatever_the_losses(tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Linear(4, 2)
    with measure(tmp_path / "mine", model=model) as m:
        m.step(rows=1)
        model.weight.data.fill_(float("nan"))
        m.step(rows=1)
    (result,) = Results.load(tmp_path / "mine")
    assert (result.outcome, result.phase) == ("crash", "train")
    assert result.reason == "training left values in weight that are not finite, so the model did not learn"


def test_losses_that_nobody_reported_are_not_proven(tmp_path):
    with measure(tmp_path / "mine") as m:
        m.step(rows=1)
        m.step(rows=1)
    (result,) = Results.load(tmp_path / "mine")
    assert result.outcome == "ok" and "finite_losses" not in result.proof


def test_an_exception_is_the_outcome_and_goes_on(tmp_path):
    with pytest.raises(MemoryError), measure(tmp_path / "mine") as m:
        m.step(rows=1)
        raise MemoryError("no more")
    (result,) = Results.load(tmp_path / "mine")
    assert (result.outcome, result.phase, result.rank) == ("oom", "steady", 0)


def test_a_launch_that_failed_is_made_up_for_by_the_next(tmp_path):
    for fails in (True, False, False):
        try:
            with measure(tmp_path / "mine") as m:
                m.step(rows=1)
                m.step(rows=1)
                if fails:
                    raise ValueError("no")
        except ValueError:
            pass
    assert [(each.launch, each.attempt, each.outcome) for each in Results.load(tmp_path / "mine")] == [
        (1, "2", "ok"),
        (2, "3", "ok"),
    ]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"rows": 2.0}, r"rows is 2\.0; give a whole number from 0"),
        ({"rows": 1, "tokens": -1}, "tokens is -1"),
        ({"rows": 1, "loss": "3"}, "loss is a str; give a plain number"),
    ],
)
def test_what_is_no_count_is_refused(tmp_path, counts, message):
    with pytest.raises(TypeError, match=message), measure(tmp_path / "mine") as m:
        m.step(**counts)


def test_a_folder_is_measured_in_by_one_at_a_time(tmp_path):
    from benchspec.terms.errors import RunError

    with measure(tmp_path / "mine") as m:
        with pytest.raises(RunError, match="another benchspec run is using"), measure(tmp_path / "mine"):
            pass
        m.step(rows=1)


def test_what_a_killed_process_left_is_recorded_later(tmp_path):
    """The evidence is whole, but rank 0 was ended before it could write its line."""
    with measure(tmp_path / "mine") as m:
        m.step(rows=1)
        m.step(rows=1)
    (tmp_path / "mine" / "results.jsonl").unlink()
    (result,) = closing.settle(tmp_path / "mine")
    assert result.outcome == "ok" and len(Results.load(tmp_path / "mine")) == 1
    assert closing.settle(tmp_path / "mine") == []


def test_what_still_runs_is_not_recorded(tmp_path):
    with measure(tmp_path / "mine") as m:
        m.step(rows=1)
        assert closing.settle(tmp_path / "mine") == []


def test_a_process_that_is_gone_without_a_word_crashed(tmp_path):
    with measure(tmp_path / "mine") as m:
        m.step(rows=1)
        m.step(rows=1)
    (file,) = (tmp_path / "mine").rglob("rank-0.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0]["pid"] = 2**22 + 1
    file.write_text("".join(json.dumps(line) + "\n" for line in lines[:-2]))
    (tmp_path / "mine" / "results.jsonl").unlink()
    (result,) = closing.settle(tmp_path / "mine")
    assert (result.outcome, result.rank) == ("crash", 0)


def test_a_full_disk_ends_the_measurement_and_not_the_training(tmp_path, capsys):
    with measure(tmp_path / "mine") as m:
        m.step(rows=1)
        m._session.recorder._log._file.close()
        m.step(rows=1)
        m.step(rows=1)
    assert capsys.readouterr().err.count("this training is no longer measured") == 1


def test_a_result_that_cannot_be_written_costs_the_script_nothing(tmp_path, capsys):
    with measure(tmp_path / "mine") as m:
        m.step(rows=1)
        m.step(rows=1)
        (tmp_path / "mine" / "results.jsonl").mkdir()
    assert "this training has no result: " in capsys.readouterr().err


def test_a_step_after_the_end_is_told(tmp_path):
    with measure(tmp_path / "mine") as m:
        m.step(rows=1, loss=10**400)
    with pytest.raises(RuntimeError, match="this training has ended: call step within the block"):
        m.step(rows=1)


def test_leaving_a_script_that_has_succeeded_is_no_crash(tmp_path):
    with pytest.raises(SystemExit), measure(tmp_path / "mine") as m:
        m.step(rows=1)
        m.step(rows=1)
        raise SystemExit(0)
    (result,) = Results.load(tmp_path / "mine")
    assert result.outcome == "ok"


def test_what_a_later_training_has_made_up_for_is_not_recorded_after_it(tmp_path):
    """A killed attempt was to be launch 2; the training after it became that."""
    folder = tmp_path / "mine"
    _train(folder)
    killed = _train(folder)
    _forget(folder, killed)
    _train(folder)
    _let_die(killed)
    assert closing.settle(folder) == []
    assert [(each.launch, each.attempt, each.outcome) for each in Results.load(folder)] == [
        (1, "1", "ok"),
        (2, "3", "ok"),
    ]


def test_whole_trainings_whose_launch_another_became_are_further_ones(tmp_path):
    folder = tmp_path / "mine"
    for _ in range(2):
        _forget(folder, _train(folder))
    _train(folder)
    late = closing.settle(folder)
    assert [(each.launch, each.attempt, each.outcome) for each in late] == [(2, "1", "ok"), (3, "2", "ok")]


def _train(folder):
    with measure(folder) as m:
        m.step(rows=1)
        m.step(rows=1)
    return max(folder.glob("cases/*/*/*"), key=lambda attempt: int(attempt.name))


def _forget(folder, attempt):
    """As if rank 0 had been killed before it could write the last line of the journal."""
    file = folder / "results.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    assert json.loads(lines[-1])["attempt"] == attempt.name
    file.write_text("".join(lines[:-1]))


def _let_die(attempt):
    """As if its process had been killed in the middle."""
    file = attempt / "rank-0.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0]["pid"] = 2**22 + 1
    file.write_text("".join(json.dumps(line) + "\n" for line in lines[:-2]))
