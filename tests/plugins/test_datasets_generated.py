"""Rows that one model makes for another: by a teacher that says prepared texts, and by a small random one."""

import json
import os
import re

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("rouge_score")

from drive_backend import create
from scripted_teacher import teacher
from test_datasets_self_instruct import REAL
from transformers import OPTConfig

from benchspec import BenchspecError, Row
from benchspec.kinds.options import completed
from benchspec.kinds.registry import Registry
from benchspec_plugins.datasets.generated import Generated
from benchspec_plugins.datasets.refined import Refined
from benchspec_plugins.datasets.resampled import Resampled
from benchspec_plugins.datasets.synthetic import Synthetic
from benchspec_plugins.datasets.teacher import Teacher

SEEDS = [("Name a colour of the sky.", "", "Blue."), ("Add up the numbers.", "1 2", "3"), ("Greet a friend.", "", "Hi")]
#: what a teacher knows to say, an instruction a prompt
IDEAS = ["Name three towns in Italy.", "Explain why the sea is salt.", "Translate the words into Dutch."]


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHSPEC_CACHE", str(tmp_path / "cache"))
    tasks = [
        {"id": f"s{n}", "instruction": a, "instances": [{"input": b, "output": c}]} for n, (a, b, c) in enumerate(SEEDS)
    ]
    (tmp_path / "seeds.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    return {"seed_tasks": str(tmp_path / "seeds.jsonl"), "rows": 3, "batch_size": 2, "precision": "fp32", "rounds": 5}


def generated(options, say, **changes):
    return create(Generated, {**options, "teacher": teacher(say), **changes})


def talkative():
    """A teacher with an idea a prompt, some of them no use."""
    ideas = iter([*IDEAS, "Name a colour of the sky", "Draw a picture of a house.", "Why?"] * 9)

    def say(prompt):
        if prompt.endswith("Input:"):
            return " good, day\n" if "Dutch" in prompt.split("\n\n")[-1] else " none\n"
        if prompt.endswith("Output:"):
            return f" Done: {re.findall('Task: (.*)', prompt)[-1]}\n\nTask: more"
        return f" {next(ideas)}\nTask 5: {next(ideas)}"

    return say


def kept(tmp_path):
    (file,) = (tmp_path / "cache/generated").glob("*.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_rows_are_asked_for_filtered_done_and_kept_with_their_origin(options, tmp_path, capsys):
    found = generated(options, talkative()).rows()
    assert list(found) == [
        Row(IDEAS[0], "", f"Done: {IDEAS[0]}"),
        Row(IDEAS[1], "", f"Done: {IDEAS[1]}"),
        Row(IDEAS[2], "good, day", f"Done: {IDEAS[2]}"),
    ]
    (only,) = kept(tmp_path)
    assert only["dropped"]["too similar"] == 1
    assert set(only["rows"][0]["examples"]) <= {"s0", "s1", "s2"}
    assert re.search(r"generated: 3 rows in /.*jsonl; dropped: 1 too similar", capsys.readouterr().err)


def test_what_was_made_is_not_made_again_and_more_rows_begin_with_it(options):
    first = generated(options, talkative())
    rows = list(first.rows())
    again = generated(options, lambda prompt: pytest.fail("asked again"))
    assert list(again.rows()) == rows
    more = ["Write a poem about rain.", "List the months of spring."]
    longer = generated(options, lambda prompt: said(prompt, more[len(prompt) % 2]), rows=4)
    assert list(longer.rows())[:3] == rows


def said(prompt, idea):
    """What a teacher says that has one idea."""
    return {"Input:": " none\n", "utput:": " Done."}.get(prompt[-6:], f" {idea}\n\n")


def test_a_run_that_was_stopped_goes_on_with_the_round_that_it_was_in(options, tmp_path):
    whole = list(generated(options, talkative(), batch_size=1, rows=3).rows())
    (file,) = (tmp_path / "cache/generated").glob("*.jsonl")
    rounds = file.read_bytes().splitlines(keepends=True)
    assert len(rounds) > 1
    file.write_bytes(rounds[0] + rounds[1][:20])
    say = talkative()
    # What the first round has heard.
    say("Task 4:")
    assert list(generated(options, say, batch_size=1, rows=3).rows()) == whole


def test_a_teacher_that_says_nothing_of_use_is_told_with_the_reasons(options):
    with pytest.raises(BenchspecError, match=r"0 of 3 rows, .* the last 5 rounds .*; dropped: 10 too short; lower"):
        generated(options, lambda prompt: "No.").rows()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"round": 3}', "round 0 is missing"),
        ('{"round": false}', "round 0 is missing"),
        ('{"round": 0}', "round 0 is none of this version"),
        (
            '{"round": 0, "rows": [{"instruction": "x", "input": 5, "output": "y"}], "dropped": {}}',
            "round 0 is none of",
        ),
        ('{"round": 0, "rows": [], "dropped": [1]}', "round 0 is none of"),
        ("[" * 100_000, "is damaged"),
    ],
)
def test_a_damaged_file_is_named(options, tmp_path, text, why):
    generated(options, talkative()).rows()
    (file,) = (tmp_path / "cache/generated").glob("*.jsonl")
    file.write_text(text + "\n")
    with pytest.raises(BenchspecError, match=f"{file}: is damaged: .*remove it") as caught:
        generated(options, talkative()).rows()
    assert why in str(caught.value)


def test_a_round_that_finds_no_room_is_taken_back(options, tmp_path, monkeypatch):
    generated(options, talkative()).rows()
    (file,) = (tmp_path / "cache/generated").glob("*.jsonl")
    before = file.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BenchspecError, match="cannot be written"):
        generated(options, talkative(), rows=9).rows()
    assert file.read_bytes() == before


def test_a_teacher_that_fails_is_not_taken_for_a_full_disk(options):
    def gone(prompt):
        raise FileNotFoundError(2, "No such file", "weights")

    with pytest.raises(FileNotFoundError, match="weights"):
        generated(options, gone).rows()


def test_a_teacher_without_room_for_a_prompt_is_told_at_once(options):
    registry = Registry.load()
    small = registry.create("model", completed(registry, "model", "opt-tiny"))
    dataset = create(Generated, {**options, "teacher": small, "max_new_tokens": 2048})
    with pytest.raises(BenchspecError, match="max_new_tokens leaves the teacher no room for a prompt"):
        dataset.rows()


def test_answers_of_which_none_is_rewritten_are_no_refined_rows(options):
    dataset = create(Refined, {"of": create(Synthetic, ROWS), "teacher": teacher(lambda prompt: "")})
    with pytest.raises(BenchspecError, match="the teacher has rewritten none of 4 answers"):
        dataset.rows()


def test_the_identity_changes_with_all_that_the_rows_depend_on(options, tmp_path):
    def identity(**changes):
        return generated(options, talkative(), **changes).identity()

    first = identity()
    assert identity() == first
    assert len({first, identity(seed=1), identity(similarity=0.5), identity(rows=4), identity(temperature=0)}) == 5
    (tmp_path / "seeds.jsonl").write_text((tmp_path / "seeds.jsonl").read_text().replace("Hi", "Ho"))
    assert identity() != first


def test_progress_is_told(options):
    dataset, told = generated(options, talkative(), batch_size=1), []
    dataset.progress = lambda done, total: told.append((done, total))
    dataset.rows()
    assert told[-1] == (3, 3)


def test_malformed_seed_tasks_are_missing_before_anything_starts(options, tmp_path):
    (tmp_path / "seeds.jsonl").write_text("{")
    (line,) = generated(options, talkative()).missing(online=False)
    assert "seeds.jsonl:1: no JSON" in line


@pytest.mark.skipif(not REAL.is_file(), reason="the real seed tasks are not beside the project")
def test_a_small_random_teacher_shows_that_the_pipeline_runs_and_its_rows_are_nonsense(options):
    registry = Registry.load()
    teacher = registry.create("model", completed(registry, "model", "opt-tiny"))
    how = {"seed_tasks": str(REAL), "max_new_tokens": 160, "temperature": 1.0, "batch_size": 8, "examples": 2}
    dataset = create(Generated, {**options, **how, "teacher": teacher, "rows": 2, "rounds": 40})
    first = list(dataset.rows())
    assert len(first) == 2
    assert all(row.instruction and row.output for row in first)


def test_examples_that_a_teacher_cannot_take_are_left_out():
    asked = Teacher(teacher(lambda prompt: ""), {"max_new_tokens": 8, "seed": 1, "precision": "fp32"})
    network, _ = asked._built()
    network.config = OPTConfig(max_position_embeddings=20)
    assert asked.fitted(lambda examples: "-" * 5 * len(examples), [1, 2, 3]) == "-" * 10
    assert asked.fitted(lambda examples: "-" * 13, []) is None


ROWS = {"rows": 4, "seed": 1}


def test_answers_are_written_anew_and_the_others_stay(options):
    of, said = create(Synthetic, ROWS), iter([" Better.", "", " Best.", " Good."])
    dataset = create(Refined, {"of": of, "teacher": teacher(lambda prompt: next(said)), "batch_size": 3})
    before = of.rows()
    assert [row.output for row in dataset.rows()] == ["Better.", before[1].output, "Best.", "Good."]
    assert [row[:2] for row in dataset.rows()] == [row[:2] for row in before]
    assert (dataset.size(), dataset.order()) == (4, of.order())


def test_only_rows_that_are_used_are_rewritten(options):
    drawn = create(Resampled, {"of": create(Synthetic, ROWS), "rows": 3, "seed": 2})
    places = list(drawn.order())
    assert len(set(places)) == 3
    asked = []
    dataset = create(Refined, {"of": drawn, "teacher": teacher(lambda prompt: asked.append(prompt) or " New.")})
    rows = dataset.rows()
    assert [rows[place].instruction for place in dataset.order()] == [drawn.rows()[at].instruction for at in places]
    assert len(asked) == len(rows) == 3


def test_rewriting_goes_on_where_it_was_stopped(options, tmp_path):
    def refined(say):
        return create(Refined, {"of": create(Synthetic, ROWS), "teacher": teacher(say), "batch_size": 1})

    whole = list(refined(lambda prompt: f" {len(prompt)}").rows())
    (file,) = (tmp_path / "cache/generated").glob("*.jsonl")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:3]))
    asked = []
    assert list(refined(lambda prompt: asked.append(prompt) or f" {len(prompt)}").rows()) == whole
    assert len(asked) == 1
