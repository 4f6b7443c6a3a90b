"""Prompts for a teacher, and what of its words is kept."""

import json
from pathlib import Path
from random import Random

import pytest

from benchspec import BenchspecError
from benchspec_plugins.datasets import self_instruct
from benchspec_plugins.datasets.self_instruct import Task

SEEDS = [Task(f"seed {n}", f"Count to {n}.", "", "1, 2") for n in range(5)]
REAL = Path(__file__).parents[2] / "shared" / "data" / "seed_tasks.jsonl"
if not REAL.is_file():
    REAL = Path(__file__).parents[3] / "shared" / "data" / "seed_tasks.jsonl"


def task(**changes):
    return {"id": "a", "instruction": "Add.", "instances": [{"input": "1 1", "output": "2"}], **changes}


def test_the_first_instance_of_each_task_is_read(tmp_path):
    file = tmp_path / "seeds.jsonl"
    other = {"instruction": "Say hello.", "instances": [{"output": "Hello."}, {"output": "Hi."}]}
    file.write_text(f"{json.dumps(task())}\n\n{json.dumps(other)}\n")
    assert self_instruct.read_seed_tasks(file) == [
        Task("a", "Add.", "1 1", "2"),
        Task("line 3", "Say hello.", "", "Hello."),
    ]


@pytest.mark.skipif(not REAL.is_file(), reason="the real seed tasks are not beside the project")
def test_the_real_seed_tasks_are_read():
    assert len(self_instruct.read_seed_tasks(REAL)) == 175


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "seeds.jsonl: has no seed tasks; each line is"),
        ("{", "seeds.jsonl:1: no JSON"),
        ("[" * 100_000, "seeds.jsonl:1: no JSON"),
        ("3", "seeds.jsonl:1: no seed task; each line is"),
        (json.dumps(task()) + "\n" + json.dumps(task(instances=[])), "seeds.jsonl:2: no seed task"),
        (json.dumps(task(instruction="")), "seeds.jsonl:1: no seed task"),
        (json.dumps(task(instances=[{"input": None, "output": "2"}])), "seeds.jsonl:1: no seed task"),
        (json.dumps(task(instances=["2"])), "seeds.jsonl:1: no seed task"),
        (json.dumps(task(instances=[{"output": " "}])), "seeds.jsonl:1: no seed task"),
        (json.dumps(task(instruction="a \ud800")), "seeds.jsonl:1: no seed task"),
    ],
)
def test_a_malformed_seed_task_is_one_line_with_its_place(tmp_path, text, said):
    file = tmp_path / "seeds.jsonl"
    file.write_text(text)
    with pytest.raises(BenchspecError, match=said) as caught:
        self_instruct.read_seed_tasks(file)
    assert "\n" not in str(caught.value)


def test_examples_are_mostly_by_people():
    made = [Task(f"row {n}", f"Made {n}.", "", "x") for n in range(9)]
    drawn = self_instruct.draw(Random(1), SEEDS, made, 4)
    assert sorted(each.id.split()[0] for each in drawn) == ["row", "row", "seed", "seed"]
    assert self_instruct.draw(Random(1), SEEDS, made, 4) == drawn
    assert len(self_instruct.draw(Random(1), SEEDS, [], 99)) == 5
    assert self_instruct.draw(Random(1), SEEDS, made, 1)[0].id.startswith("seed")


def test_a_prompt_for_tasks_ends_where_the_next_one_begins():
    prompt = self_instruct.prompt_for_instructions([SEEDS[1], Task("b", "Two\nlines", "", "x")])
    assert prompt.endswith("\n\nTask 1: Count to 1.\nTask 2: Two lines\nTask 3:")


def test_prompts_for_input_and_output_show_examples():
    few = [Task("a", "Add.", "1 1", "2"), SEEDS[2]]
    prompt = self_instruct.prompt_for_input("Sort them.", few)
    assert "Task: Add.\nInput: 1 1\n\nTask: Count to 2.\nInput: none\n\n" in prompt
    assert prompt.endswith("\n\nTask: Sort them.\nInput:")
    prompt = self_instruct.prompt_for_output("Sort them.", "3 1", few)
    assert "Input: none\nOutput: 1, 2" in prompt
    assert prompt.endswith("\n\nTask: Sort them.\nInput: 3 1\nOutput:")


@pytest.mark.parametrize(
    ("text", "ended", "found"),
    [
        (" Name a town.\nTask 10: Sort them.\n11. Add these", True, ["Name a town.", "Sort them.", "Add these"]),
        (" Name a town.\nTask 10: Sort th", False, ["Name a town."]),
        (" Name a to", False, []),
        ("\n \n", True, []),
    ],
)
def test_each_line_is_an_instruction_but_for_one_that_was_cut_off(text, ended, found):
    assert list(self_instruct.instructions_in(text, ended)) == found


@pytest.mark.parametrize(
    ("text", "ended", "found"),
    [
        (" 3 and 1\nOutput: 4", False, "3 and 1"),
        (" <none>", True, ""),
        (" None.\n", False, ""),
        (" 3 and", False, None),
        ("", True, ""),
    ],
)
def test_an_input_is_the_first_line(text, ended, found):
    assert self_instruct.input_in(text, ended) == found


@pytest.mark.parametrize(
    ("text", "ended", "found"),
    [
        (" It is 4.\nYes.\n\nTask: Sort", False, "It is 4.\nYes."),
        (" It is 4.", True, "It is 4."),
        (" It is", False, None),
        (" \n", True, None),
    ],
)
def test_an_output_ends_before_the_next_task(text, ended, found):
    assert self_instruct.output_in(text, ended) == found


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("Name three towns in Italy.", None),
        ("Sort these", "too short"),
        ("word " * 151, "too long"),
        ("Describe the picture below in detail.", "needs more than text"),
        ("Describe a picturesque valley.", None),
        ("* Name three towns.", "begins oddly"),
    ],
)
def test_instructions_that_are_no_use_are_dropped_with_the_reason(instruction, reason):
    assert self_instruct.objection(instruction) == reason


def test_an_instruction_is_new_unless_rouge_l_says_otherwise():
    pytest.importorskip("rouge_score")
    known = self_instruct.Known(0.7)
    known.add("Give three tips for staying healthy.")
    assert not known.is_new("Give three tips for staying healthy!")
    # The longest common subsequence is 5 of 6 and 6 words: F = 0.83.
    assert not known.is_new("Give five tips for staying healthy.")
    # It is 4 of 6 and 6: F = 0.67.
    assert known.is_new("Give five tips for staying warm.")
    assert known.is_new("Tips for staying healthy: give three of them, and say why each one works.")
