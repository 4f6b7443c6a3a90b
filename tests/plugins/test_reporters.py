"""Results -> tables, comma-separated values and JSON."""

from __future__ import annotations

import csv
import io
import json

import pytest

from benchspec.results.results import Result, Results
from benchspec_plugins.reporters import cells
from benchspec_plugins.reporters.csv import Csv
from benchspec_plugins.reporters.json import Json
from benchspec_plugins.reporters.markdown import Markdown, escape
from benchspec_plugins.reporters.table import Table

GIB = 2**30
FIGURE_6 = {"source": "Fauber and Patel 2023, Figure 6", "hardware": "xe9680-h100", "metric": "train_runtime"}
OPT_6_7B = {
    "train_runtime": 841.7,
    "rows_per_second": 185.31,
    "tokens_per_second": 21366.2,
    "step_time_p50": 1.3812,
    "mfu": 0.1042,
    "peak_memory_allocated": int(40.5 * GIB),
    "host_peak_memory": 9 * GIB,
    "final_loss": 0.92345,
}
RUN = {
    "name": "xe9680",
    "hardware": "cpu",
    "machine_line": "no accelerator; 1 × Xeon; benchspec 0.1.0",
    "experiments": {"sizes": {"title": "Fine-tuning time by model size (Figure 6)"}},
}


def result(model="opt-6.7b", metrics=OPT_6_7B, **fields):
    usual = {"attempt": "1", "experiment": "sizes", "axes": {"model": model}, "outcome": "ok"}
    return Result(**{"case": f"{model}-1f9c2a", **usual, "metrics": metrics, "started": 1.0, "finished": 2.0, **fields})


def oom(**fields):
    ending = {
        "outcome": "oom",
        "phase": "first-step",
        "rank": 3,
        "reason": "CUDA out of memory. Tried to allocate 2 GiB",
    }
    return result("opt-30b", **{"metrics": {"wall_time": 60.0}, **ending, **fields})


def value(published, ratio, **fields):
    return {**FIGURE_6, "value": published, "ratio": ratio, **fields}


def below(published, met, **fields):
    return {**FIGURE_6, "below": published, "met": met, **fields}


def table(*results, **run):
    return Table({}).render(Results(results, {**RUN, **run}))


def markdown(*results, **run):
    return Markdown({}).render(Results(results, {**RUN, **run}))


def rows(*results, **run):
    """What the csv reporter writes, read back."""
    return list(csv.DictReader(io.StringIO(Csv({}).render(Results(results, {**RUN, **run})))))


def grid(text):
    """The first Markdown table of a text: a mapping from heading to cell for each row."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [dict(zip(split[0], row, strict=False)) for row in split[2:]]


def cells_of(*results, **run):
    return grid(markdown(*results, **run))


def test_a_table_says_what_a_reader_wants_to_know():
    assert cells_of(result()) == [
        {
            "model": "opt-6.7b",
            "outcome": "ok",
            "train time": "14 min 2 s",
            "rows/s": "185",
            "tokens/s": "21,366",
            "step p50": "1.38 s",
            "MFU": "10.4%",
            "peak memory": "40.5 GiB",
            "final loss": "0.923",
        }
    ]


def test_the_figure_of_the_paper_in_plain_text():
    small = result("opt-125m", {"train_runtime": 74.0, "final_loss": 1.5}, references=[below(600, True)])
    large = result("opt-6.7b", {"train_runtime": 841.7, "final_loss": 1.25}, references=[value(900, 841.7 / 900)])
    failed = oom(references=[{**FIGURE_6, "outcome": "oom", "met": True}])
    assert (
        table(small, large, failed, hardware="xe9680-h100")
        == """\
Fine-tuning time by model size (Figure 6)

model     outcome                train    published    measured /    final
                                  time          [1]     published     loss
--------  ----------------  ----------  -----------  ------------  -------
opt-125m  ok                1 min 14 s     < 10 min           met    1.500
opt-6.7b  ok                14 min 2 s       15 min         0.94×    1.250
opt-30b   oom (first-step)           –          oom           met        –

opt-30b-1f9c2a: oom in first-step on rank 3: CUDA out of memory. Tried to allocate 2 GiB

Published
[1] Fauber and Patel 2023, Figure 6 (on xe9680-h100)

Machine: no accelerator; 1 × Xeon; benchspec 0.1.0
"""
    )


def test_seven_models_beside_published_values_fit_a_terminal():
    results = [result(f"opt-{n}.7b", references=[value(900, 0.935)]) for n in range(7)]
    assert max(map(len, table(*results).splitlines())) <= 120


def test_markdown_has_a_heading_and_a_table_for_each_experiment():
    text = markdown(result(), result(experiment="rows", axes={"dataset.rows": 10_000}))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
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
    assert "boom [31m again" in table(oom(reason="boom\x1b[31m\n\tagain"))


def test_columns_without_a_value_are_left_out():
    (row,) = cells_of(result(metrics={"train_runtime": 12.345}))
    assert row == {"model": "opt-6.7b", "outcome": "ok", "train time": "12.3 s"}


def test_what_a_case_did_not_get_to_measure_is_a_dash():
    _, failed = cells_of(result(), oom())
    assert (failed["outcome"], failed["train time"], failed["MFU"]) == ("oom (first-step)", "–", "–")


def test_the_heading_says_whose_memory_it_is():
    (row,) = cells_of(result(metrics={"host_peak_memory": 812 * 2**20}))
    assert row["peak host memory"] == "812 MiB"
    assert "peak memory" not in row


def test_energy_and_cost_are_shown_where_they_are_known():
    (row,) = cells_of(result(metrics={"energy": 1_780_000.0, "cost": 1234.5}))
    assert (row["energy"], row["cost"]) == ("1.78 MJ", "1,234.50")


def test_axes_are_headed_by_what_tells_them_apart():
    axes = {"train.batch_size": 4, "dataset.rows": 10_000, "dataset.of.rows": 52_002}
    (row,) = cells_of(result(axes=axes))
    assert list(row)[:3] == ["batch_size", "dataset.rows", "dataset.of.rows"]
    assert (row["batch_size"], row["dataset.rows"]) == ("4", "10,000")


def test_a_plugin_is_named_with_the_options_that_distinguish_it():
    backends = [
        "ddp",
        {"name": "fsdp", "mode": "full_shard", "cpu_offload": True},
        {"name": "fsdp", "mode": "full_shard", "cpu_offload": False},
        {"name": "deepspeed", "stage": 3},
    ]
    found = cells_of(*(result(axes={"backend": backend}) for backend in backends))
    assert [row["backend"] for row in found] == ["ddp", "fsdp cpu_offload=true", "fsdp cpu_offload=false", "deepspeed"]


def test_a_name_alone_differs_from_the_name_with_an_option():
    backends = ["fsdp", {"name": "fsdp", "cpu_offload": True}]
    found = cells_of(*(result(axes={"backend": backend}) for backend in backends))
    assert [row["backend"] for row in found] == ["fsdp", "fsdp cpu_offload=true"]


def test_an_axis_that_a_case_lacks_is_blank():
    found = cells_of(result(axes={"model": "opt-6.7b", "train.tf32": False}), result(axes={"model": "opt-13b"}))
    assert [row["tf32"] for row in found] == ["false", ""]


def test_without_axes_the_case_is_named():
    (row,) = cells_of(result(axes={}))
    assert row["case"] == "opt-6.7b-1f9c2a"


def test_published_values_stand_beside_the_measured():
    (row,) = cells_of(result(references=[value(900, 0.9352)]))
    assert list(row)[2:5] == ["train time", "published [1]", "measured / published"]
    assert (row["published [1]"], row["measured / published"]) == ("15 min", "0.94×")


@pytest.mark.parametrize(
    ("reference", "published", "stands"),
    [
        ({"value": 900, "ratio": None}, "15 min", "–"),
        ({"below": 600, "met": False}, "< 10 min", "not met"),
        ({"above": 600, "met": None}, "> 10 min", "–"),
        ({"between": [600, 720], "met": True}, "10 min to 12 min", "met"),
        ({"outcome": "oom", "met": False}, "oom", "not met"),
    ],
)
def test_each_kind_of_published_value(reference, published, stands):
    told = {**FIGURE_6, **reference}
    assert (cells.published_text(told), cells.verdict_text(told)) == (published, stands)


def test_published_values_of_several_metrics_say_which():
    (row,) = cells_of(result(references=[value(900, 0.94), value(0.1, 1.04, metric="mfu")]))
    assert row["train time published [1]"] == "15 min"
    assert row["MFU published [1]"] == "10%"


def test_each_source_has_columns_of_its_own():
    cloud = value(10800, 0.078, source="Stanford Alpaca 2023", hardware="cloud-8xa100")
    (row,) = cells_of(result(references=[value(900, 0.94), cloud]))
    assert (row["published [1]"], row["published [2]"]) == ("15 min", "3 h")


def test_an_outcome_alone_has_columns_beside_the_outcome():
    (row,) = cells_of(oom(references=[{**FIGURE_6, "metric": None, "outcome": "oom", "met": True}]))
    assert list(row) == ["model", "outcome", "published [1]", "measured / published"]
    assert (row["published [1]"], row["measured / published"]) == ("oom", "met")


def test_published_values_without_a_column_have_a_table_of_their_own():
    counts = {"dataset_rows": 52002}
    published = {"source": "the paper", "hardware": None, "metric": "dataset_rows", "value": 52002, "ratio": 1.0}
    text = markdown(*(result(model, counts, references=[published]) for model in ("opt-125m", "opt-6.7b")))
    (row,) = grid(text[text.index("| also published") :])
    assert row == {
        "also published": "data rows",
        "model": "all",
        "measured": "52,002",
        "published": "52,002 [1]",
        "measured / published": "1.00×",
    }


def test_sources_are_listed_once_and_other_machines_are_warned_of():
    data = {"source": "the paper", "hardware": None, "metric": "dataset_rows", "value": 52002, "ratio": 1.0}
    text = table(result(references=[value(900, 0.94), data]), result("opt-13b", references=[value(2520, 0.9)]))
    assert "\n[1] Fauber and Patel 2023, Figure 6 (on xe9680-h100)\n[2] the paper\n" in text
    assert text.count("Figure 6 (on") == 1
    assert "\nwarning: [1] published on xe9680-h100; this run is on cpu\n" in text
    assert text.count("warning") == 1


def test_the_same_machine_is_no_warning():
    assert "warning" not in table(result(references=[value(900, 0.94)]), hardware="xe9680-h100")


def test_slopes_are_listed_with_their_source():
    slope = {
        "experiment": "sizes",
        "metric": "train_runtime",
        "slope": 180,
        "per": {"dataset.rows": 10_000},
        "source": "Fauber and Patel 2023, Figure 4",
        "hardware": "xe9680-h100",
    }
    text = table(result(), slopes=[slope, {**slope, "experiment": "another"}])
    line = "published, not compared: 3 min more train_runtime per 10,000 dataset.rows [1]"
    assert text.count(line) == 1
    assert "[1] Fauber and Patel 2023, Figure 4 (on xe9680-h100)" in text
    assert "warning: [1] published on xe9680-h100; this run is on cpu" in text


def test_what_was_not_measured_is_marked():
    projected = result(basis={"train_runtime": "projected", "mfu": "predicted"}, references=[value(900, 0.94)])
    (row,) = cells_of(projected)
    assert (row["train time"], row["measured / published"], row["MFU"]) == ("~14 min 2 s", "~0.94×", "~10.4%")
    assert row["rows/s"] == "185"
    text = table(projected, result("opt-13b"))
    assert "~ projected, not measured: train time of opt-6.7b-1f9c2a\n" in text
    assert "~ predicted, not measured: MFU of opt-6.7b-1f9c2a\n" in text


def test_cases_that_wait_are_counted():
    planned = [["sizes", "opt-6.7b-1f9c2a"], ["sizes", "opt-13b-0"], ["sizes", "opt-30b-0"]]
    assert "warning: 2 of 3 cases have no result yet" in table(result(), cases=planned)


@pytest.mark.parametrize("reporter", [Table, Markdown])
def test_no_results_are_said_in_a_sentence(reporter):
    text = reporter({}).render(Results([], RUN))
    assert text.startswith("No results: no case of 'xe9680' has ended yet.\n")
    assert RUN["machine_line"] in text


def test_results_without_run_json_can_be_shown():
    assert Table({}).render(Results([result()])).startswith("sizes\n\nmodel ")


def test_csv_has_every_number_as_it_is():
    (row,) = rows(result(axes={"model": "opt-6.7b", "dataset.rows": 10_000, "train.tf32": True}))
    assert row["experiment"] == "sizes"
    assert row["case"] == "opt-6.7b-1f9c2a"
    assert (row["model"], row["dataset.rows"], row["train.tf32"]) == ("opt-6.7b", "10000", "true")
    assert {metric: float(row[metric]) for metric in OPT_6_7B} == OPT_6_7B
    assert row["machine"] == RUN["machine_line"]


def test_csv_keeps_its_columns_in_order():
    ok = result(references=[value(900, 0.94)], basis={"mfu": "projected"})
    assert list(rows(oom(), ok)[0]) == [
        *("experiment", "case", "attempt", "model", "outcome", "phase", "rank", "reason", "train_runtime", "wall_time"),
        *("rows_per_second", "tokens_per_second", "step_time_p50", "mfu", "peak_memory_allocated", "host_peak_memory"),
        *("final_loss", "basis:mfu", "published:train_runtime", "ratio:train_runtime", "source:train_runtime"),
        *("hardware:train_runtime", "machine"),
    ]


def test_csv_says_how_a_case_ended():
    first, second = rows(oom(reason="a, b\nc"), result())
    assert (first["outcome"], first["phase"], first["rank"], first["reason"]) == ("oom", "first-step", "3", "a, b\nc")
    assert (second["outcome"], second["phase"], second["rank"], second["reason"]) == ("ok", "", "", "")


def test_csv_has_published_values_flat():
    outcome = {**FIGURE_6, "metric": None, "outcome": "oom", "met": False}
    again = {**FIGURE_6, "source": "another", "between": [600, 720], "met": True}
    (row,) = rows(result(references=[value(900, 0.94), outcome, again], basis={"mfu": "projected"}))
    assert (row["published:train_runtime"], row["ratio:train_runtime"]) == ("900", "0.94")
    assert (row["source:train_runtime"], row["hardware:train_runtime"]) == (FIGURE_6["source"], "xe9680-h100")
    assert (row["published:outcome"], row["met:outcome"]) == ("oom", "false")
    assert (row["published:train_runtime:2"], row["met:train_runtime:2"]) == ("600..720", "true")
    assert row["basis:mfu"] == "projected"


def test_csv_ends_lines_as_unix_does():
    text = Csv({}).render(Results([result(), oom()]))
    assert "\r" not in text
    assert text.count("\n") == 3


def test_csv_of_nothing_is_a_header():
    assert Csv({}).render(Results([])) == "experiment,case,attempt,outcome,phase,rank,reason\n"


def test_csv_has_plugins_as_json():
    (row,) = rows(result(axes={"backend": {"name": "fsdp", "cpu_offload": True}}))
    assert json.loads(row["backend"]) == {"name": "fsdp", "cpu_offload": True}


def test_json_is_the_whole_run():
    results = Results([result(), oom(proof={"worst": float("nan")})], RUN)
    whole = json.loads(Json({}).render(results), parse_constant=pytest.fail)
    assert (whole["name"], whole["run"]) == ("xe9680", RUN)
    assert whole["results"] == [each.to_json() for each in results]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (13294.4, "13,294"),
        (185.31, "185"),
        (21.33, "21.3"),
        (3.4, "3.40"),
        (0.04172, "0.0417"),
        (52002, "52,002"),
        (0, "0"),
    ],
)
def test_numbers_have_the_digits_that_mean_something(number, text):
    assert cells.number_text(number) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.9352, "0.94×"), (1.0, "1.00×"), (0.078, "0.078×"), (12.4, "12×"), (1234.0, "1,234×")]
)
def test_ratios(ratio, text):
    assert cells.ratio_text(ratio) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2e-5, "2e-5"),
        (10_000, "10,000"),
        (True, "true"),
        (None, "none"),
        ("bf16", "bf16"),
        ([1, 2], "[1, 2]"),
        (0.5, "0.5"),
    ],
)
def test_fields_read_as_they_are_written_in_a_spec(value, text):
    assert cells.plain_text(value) == text


@pytest.mark.parametrize(("reporter", "suffix"), [(Table, ".txt"), (Markdown, ".md"), (Csv, ".csv"), (Json, ".json")])
def test_reporters_are_registered_with_their_suffix(reporter, suffix):
    from benchspec.kinds.registry import Registry

    assert Registry.load().find("reporter", reporter.name).cls is reporter
    assert reporter.suffix == suffix


def test_what_a_crashed_case_measured_does_not_stand_beside_what_was_proven():
    crashed = result("opt-13b", outcome="crash", phase="train", rank=0, reason="the loss was not finite")
    text = table(result(), crashed)
    row = next(line for line in text.splitlines() if line.startswith("opt-13b "))
    assert "crash (train)" in row and "rows" not in row and row.count("–") >= 3
