"""A rank goes through a case's phases in their order, and hands the recipe a whole job."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from ranks import logged

from benchspec import PluginError
from benchspec.cases.case import Case
from benchspec.kinds.bases import Backend, Dataset, Job, Method, Model, Recipe
from benchspec.kinds.registry import Registry
from benchspec.kinds.values import Row
from benchspec.results import events
from benchspec.results.events import EventLog
from benchspec.terms import layout
from benchspec.terms.errors import BenchspecError
from benchspec.worker import device, phases
from benchspec.worker.rank import Rank
from benchspec_plugins.models.byte_tokenizer import byte_tokenizer

TRAIN = {"max_length": 512, "seed": 1, "attention": "auto", "precision": "fp32", "tf32": False}


class Three(Dataset):
    name = "three"

    def rows(self):
        return [Row("Name a colour", "", "red"), Row("Add them", "2 and 3", "5"), Row("Say nothing", "", "")]


class Letters(Model):
    name = "letters"

    def tokenizer(self):
        return byte_tokenizer()

    def build(self):
        return torch.nn.Linear(2, 2)


class Whole(Method):
    name = "whole"

    def apply(self, model):
        return model


class Shown(Backend):
    """A backend that keeps what it was shown."""

    name = "shown"
    shown = None

    def prove(self, model):
        Shown.shown = model
        return {"sharding": "none"}


class Step(Recipe):
    """One optimizer step, on paper."""

    name = "step"
    job: Job

    def steps(self, rows, train, ranks):
        return 10 * rows + ranks

    def train(self, job):
        Step.job = job
        with job.phase("train"):
            job.step(1, 8, 8, 4, 1.0, 1.0)
            with torch.no_grad():
                job.model.weight += 1
                job.model.bias += 1
        return self.options.get("returns")


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """An attempt's folder with its case; the plugins are those above."""
    plugins = {"dataset": Three, "model": Letters, "method": Whole, "recipe": Step, "backend": Shown}
    named = {kind: {"name": cls.name} for kind, cls in plugins.items()} | {"launcher": {"name": "none"}}
    case = Case(
        id="letters-1",
        experiment="one",
        axes={},
        expected=("ok",),
        said={},
        train=TRAIN,
        measure={},
        limits={},
        **named,
    )

    class Few:
        packages = frozenset({__name__})

        def create(self, kind, value):
            return plugins.get(kind, Method)({})

    monkeypatch.setattr(Registry, "load", Few)
    folder = layout.attempts_folder(tmp_path, case.experiment, case.id) / "1"
    folder.mkdir(parents=True)
    layout.write_json(folder / layout.CASE, {**case.to_json(), "invocation": "7"})
    return folder


def run(folder):
    job = Rank(folder, EventLog(folder, 0), rank=0, world=2)
    phases.run(job)
    return job


def test_phases_come_in_their_order_and_the_proof_at_the_end(attempt):
    run(attempt)
    found = [(event["event"], event.get("phase")) for event in events.read(attempt / layout.rank_file(0))]
    assert found == [
        ("begin", "start"),
        ("end", "start"),
        ("begin", "data"),
        ("data", None),
        ("end", "data"),
        ("begin", "build"),
        ("model", None),
        ("end", "build"),
        ("begin", "train"),
        ("begin", "first-step"),
        ("arithmetic", None),
        ("step", None),
        ("end", "first-step"),
        ("begin", "steady"),
        ("end", "steady"),
        ("end", "train"),
        ("memory", None),
        ("proof", None),
    ]


def test_a_recipe_is_given_a_whole_job(attempt):
    run(attempt)
    job = Step.job
    assert [name for name in Job.__annotations__ if not hasattr(job, name)] == []
    assert (job.case.id, job.folder, job.rank, job.world) == ("letters-1", attempt, 0, 2)
    assert job.device == torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    assert job.collate([job.data[0], job.data[1]])["input_ids"].shape[0] == 2


def test_the_data_are_counted_and_the_recipe_says_how_many_steps_they_take(attempt):
    run(attempt)
    (found,) = logged(attempt, "data")
    assert (found["rows"], found["words"], found["planned_steps"]) == (3, 12, 32)
    (pointer,) = (layout.run_dir(attempt) / layout.DATA).glob("*.json")
    assert json.loads(pointer.read_text())["invocation"] == "7"


@pytest.mark.parametrize(
    ("size", "said"), [(99, "size() of the data set 'three' says 99 rows, and there are 3"), (3, None), (None, None)]
)
def test_a_data_set_of_another_size_than_it_said_is_warned_of(attempt, monkeypatch, size, said):
    monkeypatch.setattr(Three, "size", lambda self: size)
    run(attempt)
    (found,) = logged(attempt, "data")
    assert found["warning"] == said


@pytest.mark.parametrize("returned", ["a wrapper", None])
def test_a_backend_is_shown_what_was_trained(attempt, monkeypatch, returned):
    monkeypatch.setattr(Step, "__init__", lambda self, options: setattr(self, "options", {"returns": returned}))
    job = run(attempt)
    assert Shown.shown is (returned or job.model)
    (proof,) = logged(attempt, "proof")
    assert (proof["sharding"], proof["parameters_changed"], proof["dtype"]) == ("none", 2, "float32")


def test_a_backends_evidence_stands_beside_that_of_benchspec(attempt, monkeypatch):
    evidence = {"dtype": "int8", "time": 1.0, "at": 2.0, "shards": torch.tensor(3), 5: "five"}
    monkeypatch.setattr(Shown, "prove", lambda self, model: evidence)
    run(attempt)
    (proof,) = logged(attempt, "proof")
    assert (proof["dtype"], proof["shards"], proof["5"]) == ("float32", 3, "five")
    assert proof["time"] > 2


@pytest.mark.parametrize("evidence", [{"groups": {1, 2}}, {"loss": float("nan")}, {"of": object()}])
def test_evidence_that_cannot_be_kept_is_named_with_its_file_and_line(attempt, monkeypatch, evidence):
    monkeypatch.setattr(Shown, "prove", lambda self, model: evidence)
    with pytest.raises(PluginError, match=r"not a mapping of names to plain JSON values \(.*test_phases.py:\d+\)$"):
        run(attempt)


@pytest.mark.parametrize(
    ("cls", "method", "said"),
    [
        (Shown, "prove", "not a mapping with the evidence"),
        (Letters, "tokenizer", "not a tokenizer"),
        (Letters, "build", "not a torch.nn.Module"),
        (Whole, "apply", "not a torch.nn.Module"),
    ],
)
def test_a_method_that_returns_nothing_is_named_with_its_file_and_line(attempt, monkeypatch, cls, method, said):
    def forgotten(self, *given):
        pass

    monkeypatch.setattr(cls, method, forgotten)
    with pytest.raises(PluginError, match=rf"forgotten\(\) returned None, {said} \({__file__}:\d+\)$"):
        run(attempt)


def test_a_number_of_steps_that_is_none_is_named_with_its_file_and_line(attempt, monkeypatch):
    monkeypatch.setattr(Step, "steps", lambda self, rows, train, ranks: rows / 2)
    with pytest.raises(PluginError, match=r"returned 1.5, not an integer or None \(.*test_phases.py:\d+\)$"):
        run(attempt)


def test_a_case_that_cannot_be_read_fails_where_it_starts(attempt):
    (attempt / layout.CASE).write_text("{")
    job = Rank(attempt, EventLog(attempt, 0), rank=0, world=1)
    with pytest.raises(ValueError, match="Expecting property name"):
        phases.run(job)
    assert job.open == ["start"]


@pytest.mark.parametrize("taken", [False, True])
def test_a_rank_on_an_accelerator_says_which_and_that_it_is_its_own(attempt, monkeypatch, taken):
    found = {"name": "NVIDIA L4", "uuid": "GPU-1", "memory": 24, "mig": False}
    monkeypatch.setattr(device, "choose", lambda: torch.device("cuda", 0))
    monkeypatch.setattr(device, "described", lambda one: found)
    for rank, log in ((0, EventLog(attempt, 0)), (1, EventLog(attempt, 1))):
        log.add("start", rank=rank, world=2, pid=1, host="here")
    if taken:
        log.add("device", **found)
    job = Rank(attempt, EventLog(attempt, 0), rank=0, world=2)
    # Training on it is not for a machine without one.
    monkeypatch.setattr(phases, "_tokenizer", lambda model: pytest.skip("started"))
    with pytest.raises(
        BenchspecError if taken else pytest.skip.Exception, match="the same GPU" if taken else "started"
    ):
        phases.run(job)
    (event,) = logged(attempt, "device")
    assert event["uuid"] == "GPU-1"
    assert job.open == ["start" if taken else "data"]


@pytest.mark.parametrize(
    ("work", "usable"),
    [
        ([1, 2.5, 0], True),
        ([1, 2], False),
        ([[1, 2, 3]], False),
        ([1, 2, float("nan")], False),
        ([1, 2, float("inf")], False),
        ([1, 2, -1], False),
        (["a", "b", "c"], False),
        ({1: 2}, False),
        (3, False),
    ],
)
def test_the_work_of_steps_is_a_number_each(work, usable):
    assert phases._is_work(work, 3) == usable


def test_a_step_without_an_answer_is_named():
    phases._check_answers([3, 1])
    phases._check_answers(None)
    with pytest.raises(BenchspecError, match="no row of step 2 of 3 has an answer within"):
        phases._check_answers([3, 0, 0])
