"""Reports as text: tables, Markdown, comma-separated values and JSON."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from example_results import FIGURE_6, OPT_6_7B, RUN, oom, published, result, results

from benchspec.reports.markdown import escape
from benchspec.results import Results
from benchspec_plugins.reporters.csv import Csv
from benchspec_plugins.reporters.json import Json
from benchspec_plugins.reporters.markdown import Markdown
from benchspec_plugins.reporters.table import Table


def table(*cases, **run):
    return Table({}).render(results(*cases, **run))


def markdown(*cases, **run):
    return Markdown({}).render(results(*cases, **run))


def rows(*cases, **run):
    """What the csv reporter writes, read back."""
    return list(csv.DictReader(io.StringIO(Csv({}).render(results(*cases, **run)))))


SHARED = {"dataset": "alpaca", "backend": {"name": "fsdp", "sync_each_batch": False}, "epochs": 3}


def test_the_figure_of_the_paper_in_plain_text():
    small = result("opt-125m", {"train_runtime": 74.0, "final_loss": 1.5}), published(below=600)
    large = result("opt-6.7b", {"train_runtime": 841.7, "final_loss": 1.25}), published(value=900)
    failed = oom(), published(outcome="oom")
    asked = {"started": 1.7e9, "shared": SHARED, "spec": {"description": "How long it takes"}}
    assert (
        table(small, large, failed, hardware="xe9680-h100", **asked)
        == """\
xe9680: How long it takes
2023-11-14, no accelerator; 1 × Xeon; benchspec 0.1.0
3 of 3 published values reproduced
3 cases: 2 ok, 1 oom
every case: dataset alpaca, backend fsdp sync_each_batch=false, epochs 3

Fine-tuning time by model size (Figure 6)

model     outcome                train    final
                                  time     loss
--------  ----------------  ----------  -------
opt-125m  ok                1 min 14 s    1.500
opt-6.7b  ok                14 min 2 s    1.250
opt-30b   oom (first-step)           –        –

published    case             value    measured  verdict
-----------  --------  ------------  ----------  -------------------------------
train time   opt-125m  < 10 min [1]  1 min 14 s  reproduced: below, as published
train time   opt-6.7b    15 min [1]  14 min 2 s  reproduced: within 10%
outcome      opt-30b        oom [1]         oom  reproduced: oom, as published

opt-30b-1f9c2a: oom in first-step on rank 3: CUDA out of memory. Tried to allocate 2 GiB

Published
[1] Fauber and Patel 2023, Figure 6 (on xe9680-h100)
"""
    )


def test_seven_models_beside_published_values_fit_a_terminal():
    cases = [(result(f"opt-{n}.7b"), published(value=900)) for n in range(7)]
    assert max(map(len, table(*cases, shared={f"field_{n}": "a value" for n in range(20)}).splitlines())) <= 120


def test_markdown_has_a_heading_and_a_table_for_each_experiment():
    text = markdown(result(), result(experiment="rows", axes={"dataset.rows": 10_000}))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# xe9680",
        "## Fine-tuning time by model size (Figure 6)",
        "## rows",
    ]
    assert "\n|   rows | outcome   |" in text
    assert "\n| 10,000 | ok        |" in text


def test_markup_in_text_is_escaped():
    crash = oom(outcome="crash", reason="<class 'x'> has no __init__ | see `help`\nand more")
    text = markdown(crash, result("a|b"), experiments={"sizes": {"title": "a | b"}})
    assert r"crash in first-step on rank 3: \<class 'x'> has no \_\_init\_\_ \| see \`help\` and more" in text
    assert r"## a \| b" in text
    assert r"| a\|b " in text


@pytest.mark.parametrize("plain", ["< 10 min", "train_runtime", "dataset.rows", "0.93×"])
def test_what_is_no_markup_stays_as_it_is(plain):
    assert escape(plain) == plain


def test_a_reason_cannot_move_the_cursor():
    assert r"boom\x1b[31m again" in table(oom(reason="boom\x1b[31m\n\tagain"))


def test_markdown_shows_the_same_as_plain_text_and_folds_the_rest():
    first = (result(), published(value=900), published(value=52002, metric="dataset_rows", source="the paper"))
    text = markdown(first, oom(), shared=SHARED)
    assert text.startswith(
        "<!-- benchspec: . -->\n\n# xe9680\n\n**1 other machine, 1 not run**\n\n- 2 cases: 1 ok, 1 oom\n- no accelerator; 1 × Xeon"
    )
    assert "<details><summary>settings of every case</summary>\n\n- dataset alpaca\n- backend fsdp" in text
    assert re.search(
        r"^\| train time +\| opt-6.7b +\| +15 min \[1\] \| 14 min 2 s \| other machine: ", text, re.MULTILINE
    )
    assert "| data rows " in text
    assert "\n- opt-30b-1f9c2a: oom in first-step on rank 3: CUDA out of memory. Tried to allocate 2 GiB\n" in text
    assert "<details><summary>further metrics</summary>\n\n| model " in text
    assert "\nPublished:\n\n- [1] Fauber and Patel 2023, Figure 6 (on xe9680-h100)\n- [2] the paper (on" in text


def test_a_table_has_at_most_seven_columns():
    headings = re.findall(r"^\|.*\|$", markdown(result(axes={"model": "opt-6.7b", "train.seed": 1})), re.MULTILINE)
    assert headings[0].count("|") == 8


def test_names_stay_whole_and_words_go_on_in_the_next_line():
    name = "opt-6.7b-batch_size-4-gradient_accumulation-8-max_length-2048-learning_rate-0.001-precision-bf16-1f9c2a"
    axes = {"train.seed": "a remark of some words, longer than most"}
    text = table(result(case=name, axes=axes), result(axes=axes))
    assert name in text and "longer than most" not in text


def test_a_terminal_s_table_names_what_has_no_room_in_it():
    text = table(result(), oom())
    assert "measured too, shown by --format markdown, html and csv: tokens/s, step p50, peak host memory\n" in text
    assert "measured too" not in table(result(metrics={"train_runtime": 1.0}))


def test_warnings_stand_below_the_tables():
    planned = [["sizes", "opt-6.7b-1f9c2a"], ["sizes", "opt-13b-0"]]
    assert table(result(), cases=planned).endswith("\n\nwarning: 1 of 2 cases has no result yet\n")
    assert markdown(result(), cases=planned).endswith(
        "\n\n**Warning:** 1 of 2 cases has no result yet\n\n<!-- /benchspec -->\n"
    )


@pytest.mark.parametrize("reporter", [Table, Markdown])
def test_without_results_a_sentence_says_so(reporter):
    text = reporter({}).render(Results([], RUN))
    assert "\n\nNo results: no case of 'xe9680' has ended yet.\n" in text
    assert RUN["machine_line"] in text


def test_csv_has_every_number_as_it_is():
    (row,) = rows(result(axes={"model": "opt-6.7b", "dataset.rows": 10_000, "train.tf32": True}))
    assert row["experiment"] == "sizes"
    assert row["case"] == "opt-6.7b-1f9c2a"
    assert (row["model"], row["dataset.rows"], row["train.tf32"]) == ("opt-6.7b", "10000", "true")
    assert {metric: float(row[metric]) for metric in OPT_6_7B} == OPT_6_7B
    assert row["machine"] == RUN["machine_line"]


def test_csv_says_which_figures_are_not_this_machine_s():
    (row,) = rows(result(), other_figures="the figures of h200; this machine differs: a CPU, not 8 × NVIDIA H200")
    assert row["machine"].endswith(
        "; MFU and cost use the figures of h200; this machine differs: a CPU, not 8 × NVIDIA H200"
    )


def test_csv_keeps_its_columns_in_order():
    ok = result(basis={"mfu": "projected"}), published(value=900)
    assert list(rows(oom(), ok)[0]) == [
        *("experiment", "case", "attempt", "launch", "model", "outcome", "phase", "rank", "reason", "train_runtime"),
        *("rows_per_second", "tokens_per_second", "step_time_p50", "mfu", "peak_memory_allocated", "host_peak_memory"),
        *("final_loss", "basis:mfu", "published:train_runtime", "ratio:train_runtime"),
        *("verdict:train_runtime", "source:train_runtime", "hardware:train_runtime", "machine"),
    ]


def test_csv_says_how_a_case_ended():
    first, second = rows(oom(reason="a, b\nc"), result())
    assert (first["outcome"], first["phase"], first["rank"], first["reason"]) == ("oom", "first-step", "3", "a, b c")
    assert (second["outcome"], second["phase"], second["rank"], second["reason"]) == ("ok", "", "", "")


def test_csv_has_published_values_flat():
    again = published(source="another", between=[600, 720])
    values = published(value=900), published(outcome="oom"), again, published(below=700)
    (row,) = rows((result(metrics={"train_runtime": 675.0}), *values), hardware="xe9680-h100")
    assert (row["published:train_runtime"], row["ratio:train_runtime"]) == ("900", "0.75")
    assert (row["source:train_runtime"], row["hardware:train_runtime"]) == (FIGURE_6["source"], "xe9680-h100")
    assert row["verdict:train_runtime"] == "better"
    assert (row["published:outcome"], row["verdict:outcome"]) == ("oom", "differs")
    assert (row["published:train_runtime:2"], row["verdict:train_runtime:2"]) == ("600..720", "reproduced")
    assert (row["published:train_runtime:3"], row["verdict:train_runtime:3"]) == ("<700", "reproduced")


def test_csv_has_a_blank_for_what_was_not_measured():
    failed, _ = rows((oom(), published(value=900)), (result(), published(value=900)))
    assert (failed["published:train_runtime"], failed["ratio:train_runtime"]) == ("900", "")


def test_csv_ends_lines_as_unix_does():
    text = Csv({}).render(Results([result(), oom()]))
    assert "\r" not in text
    assert text.count("\n") == 3


def test_csv_of_nothing_is_a_header():
    assert Csv({}).render(Results([])) == "experiment,case,attempt,launch,outcome,phase,rank,reason\n"


def test_csv_has_plugins_as_json():
    (row,) = rows(result(axes={"backend": {"name": "fsdp", "cpu_offload": True}}))
    assert json.loads(row["backend"]) == {"name": "fsdp", "cpu_offload": True}


def test_json_is_the_whole_run():
    found = results((result(), published(value=900)), oom(proof={"worst": float("nan")}))
    document = json.loads(Json({}).render(found), parse_constant=pytest.fail)
    assert list(document) == ["name", "run", "results", "headline", "verdicts"]
    assert (document["name"], document["run"]) == ("xe9680", found.run)
    assert document["results"] == [each.to_json() for each in found]
    assert document["headline"] == "1 other machine"
    assert document["verdicts"] == [
        {
            "source": FIGURE_6["source"],
            "hardware": "xe9680-h100",
            "experiment": "sizes",
            "case": "opt-6.7b-1f9c2a",
            "where": {"model": "opt-6.7b"},
            "kind": "value",
            "metric": "train_runtime",
            "published": 900,
            "measured": 841.7,
            "ratio": 841.7 / 900,
            "interval": None,
            "verdict": "other machine",
            "words": "within 10%; published on xe9680-h100",
            "differences": [],
        }
    ]


@pytest.mark.parametrize(("reporter", "suffix"), [(Table, ".txt"), (Markdown, ".md"), (Csv, ".csv"), (Json, ".json")])
def test_reporters_are_registered_with_their_suffix(reporter, suffix):
    from benchspec.kinds.registry import Registry

    assert Registry.load().find("reporter", reporter.name).cls is reporter
    assert reporter.suffix == suffix
