"""Which reports are printed, which are kept, and what a reporter may write."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_results import RUN, result

from benchspec import BenchspecError, PluginError, Reporter, run
from benchspec.kinds.discovery import Entry, Origin
from benchspec.kinds.registry import Registry
from benchspec.reports.render import printed
from benchspec.results import Results

ACME = "the reporter 'acme' of benchspec-acme 1.0 (benchspec_acme)"


class Short(Reporter):
    """A line."""

    name = "acme"
    suffix = ".log"
    options_schema = {
        "properties": {
            "ending": {"type": "string", "default": "."},
            "limit": {"type": "number", "format": "seconds", "default": 1},
            "of": {"$ref": "#/$defs/reporter"},
        }
    }
    presets = {"loud": {"ending": "!"}}

    def render(self, results):
        return f"{len(results)} result{self.options['ending']}"


def reporter(**attributes):
    """A variant of the reporter above."""
    return type("Variant", (Short,), {"__doc__": "A variant.", **attributes})


def registry(*classes):
    origin = Origin("benchspec-acme 1.0", "benchspec_acme")
    return Registry(
        Entry("reporter", name, cls, preset, origin)
        for cls in classes
        for name, preset in {cls.name: {}, **cls.presets}.items()
    )


def reports(folder, cls=Short, names=(), report=("acme",), others=()):
    return list(printed(registry(cls, *others), Results([result()], {**RUN, "report": report}, folder), names))


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_reports_of_the_spec_are_printed_and_kept(tmp_path):
    assert reports(tmp_path) == ["1 result."]
    assert files(tmp_path) == {"report.log": b"1 result."}


def test_a_report_with_a_path_is_kept_there_and_not_printed(tmp_path):
    assert reports(tmp_path, report=[{"name": "acme", "path": "for/you.txt", "ending": "?"}]) == []
    assert files(tmp_path) == {"for/you.txt": b"1 result?"}


def test_a_report_asked_for_by_name_is_printed_only(tmp_path):
    assert reports(tmp_path, names=["loud"]) == ["1 result!"]
    assert files(tmp_path) == {}


@pytest.mark.parametrize("names", [(), ("acme",)])
def test_a_reporter_that_is_not_printed_is_kept(tmp_path, names):
    assert reports(tmp_path, reporter(printed=False), names) == []
    assert files(tmp_path) == {"report.log": b"1 result."}


def test_an_empty_text_is_neither_printed_nor_kept(tmp_path):
    assert reports(tmp_path, reporter(render=lambda self, results: "")) == []
    assert files(tmp_path) == {}


def test_options_are_completed(tmp_path):
    shown = reporter(render=lambda self, results: f"{self.options['limit']} {self.options['of'].options}")
    report = [{"name": "acme", "limit": "2 min", "of": "loud"}]
    assert reports(tmp_path, shown, report=report) == ["120 {'ending': '!', 'limit': 1}"]


@pytest.mark.parametrize("names", [(), ("acme",)])
def test_files_are_written_into_the_run_directory(tmp_path, names):
    plots = reporter(render=lambda self, results: "", files=lambda self, results: {"figures/loss.svg": b"<svg/>"})
    for _ in range(2):
        assert reports(tmp_path, plots, names) == []
        assert files(tmp_path) == {"figures/loss.svg": b"<svg/>"}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../loss.svg", "'../loss.svg' is not a file inside the run directory"),
        ("/tmp/loss.svg", "'/tmp/loss.svg' is not a file inside the run directory"),
        ("", "'' is not a file inside the run directory"),
        ("figures/..", "is not a file inside the run directory"),
        ("a\0b", "is not a file inside the run directory"),
        (3, "`files` must give paths as str, not int"),
        ("link/loss.svg", "'link/loss.svg' is not a file inside the run directory"),
        ("run.json", "'run.json' is not free: run.json, results.jsonl, cases, data, .lock are benchspec's own"),
        ("figures/../results.jsonl", "'figures/../results.jsonl' is not free"),
        ("cases/loss.svg", "'cases/loss.svg' is not free"),
        ("Run.JSON", "'Run.JSON' is not free"),
    ],
)
def test_a_file_elsewhere_is_refused_and_none_is_written(tmp_path, path, said):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/link").symlink_to(tmp_path)
    plots = reporter(files=lambda self, results: {"good.svg": b"", path: b""})
    with pytest.raises(PluginError) as caught:
        reports(tmp_path / "run", plots)
    assert str(caught.value).startswith(f"{ACME} failed: ") and said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == {"run/report.log": b"1 result."}


def test_a_file_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "loss.svg").mkdir()
    (tmp_path / "taken").write_text("")
    for path in ("loss.svg", "taken/loss.svg"):
        plots = reporter(render=lambda self, results: "", files=lambda self, results, path=path: {path: b""})
        with pytest.raises(PluginError, match=r"^the reporter 'acme' of .*: cannot write .*loss\.svg: "):
            reports(tmp_path, plots)
    assert files(tmp_path) == {"taken": b""}


def broken(self, *arguments):
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"render": broken}, f"ZeroDivisionError: a bug ({__file__}:"),
        ({"__init__": broken}, f"ZeroDivisionError: a bug ({__file__}:"),
        ({"files": broken}, f"ZeroDivisionError: a bug ({__file__}:"),
        ({"render": lambda self, results: 3}, f"<lambda>() returned 3, not a str ({__file__}:"),
        ({"files": lambda self, results: None}, f"<lambda>() returned None, not a mapping ({__file__}:"),
        ({"files": lambda self, results: {"a.txt": "text"}}, "`files` must give bytes for 'a.txt', not str"),
    ],
)
def test_what_goes_wrong_names_the_reporter_and_where_it_is_from(tmp_path, attributes, said):
    with pytest.raises(PluginError) as caught:
        reports(tmp_path, reporter(**attributes))
    assert str(caught.value).startswith(f"{ACME} failed: {said}")


def test_a_reporter_that_fails_does_not_stop_the_others(tmp_path):
    other = reporter(name="other", presets={})
    run = {**RUN, "report": ["acme", "nosuch", "other"]}
    shown = printed(registry(reporter(render=broken), other), Results([result()], run, tmp_path))
    assert next(shown) == "1 result."
    with pytest.raises(PluginError, match=r"ZeroDivisionError: a bug \(.*\); no reporter is called 'nosuch'"):
        next(shown)


def test_text_that_cannot_be_encoded_is_shown_with_question_marks(tmp_path):
    assert reports(tmp_path, reporter(render=lambda self, results: "bad \udcff name")) == ["bad ? name"]


def test_a_report_that_cannot_be_kept_is_shown_all_the_same(scripted, monkeypatch):
    found = run(scripted("ok"))
    Path("runs/demo/report.txt").mkdir()
    shown = printed(scripted("ok").registry, found)
    assert "outcome" in next(shown)
    with pytest.raises(BenchspecError, match=r"cannot write .*report\.txt: Is a directory"):
        list(shown)


def other(**attributes):
    """Another reporter, whose report has the same name."""
    return reporter(name="other", presets={}, render=lambda self, results: "another", **attributes)


def both(folder, *report, classes=None):
    """The texts of both reporters, and the error that follows."""
    run, texts = {**RUN, "report": report}, []
    with pytest.raises(PluginError) as caught:
        for text in printed(registry(*(classes or (Short, other()))), Results([result()], run, folder)):
            texts.append(text)
    return texts, str(caught.value)


def test_two_reporters_with_one_suffix_have_a_file_each(tmp_path):
    assert reports(tmp_path, report=["acme", "other"], others=[other()]) == ["1 result.", "another"]
    assert files(tmp_path) == {"report.log": b"1 result.", "report-other.log": b"another"}


def test_a_report_has_the_same_file_however_it_is_asked_for(tmp_path):
    hidden = other(printed=False)
    assert reports(tmp_path, report=["acme", "other"], others=[hidden]) == ["1 result."]
    kept = files(tmp_path)
    assert reports(tmp_path, report=["acme", "other"], others=[hidden], names=["other"]) == []
    assert files(tmp_path) == kept and set(kept) == {"report.log", "report-other.log"}


def test_a_report_that_fails_leaves_its_file_to_no_other(tmp_path):
    texts, _ = both(tmp_path, "acme", "other", classes=(reporter(render=lambda self, results: 1), other()))
    assert texts == ["another"] and set(files(tmp_path)) == {"report-other.log"}


def test_a_report_does_not_overwrite_another_and_is_shown_all_the_same(tmp_path):
    texts, said = both(tmp_path, "acme", "acme")
    assert texts == ["1 result."] * 2
    assert said.startswith(f"{ACME}: 'report.log' is already written by {ACME}; give one")
    assert files(tmp_path) == {"report.log": b"1 result."}
    apart = ["acme", {"name": "other", "path": "other.log"}]
    assert reports(tmp_path, report=apart, others=[other()]) == ["1 result."]
    assert files(tmp_path) == {"report.log": b"1 result.", "other.log": b"another"}


def test_the_files_of_a_reporter_do_not_overwrite_a_report_or_another_s_files(tmp_path):
    plots = {"files": lambda self, results: {"good.svg": b"", "for/you.txt": b"mine"}}
    _, said = both(tmp_path, {"name": "acme", "path": "for/you.txt"}, "other", classes=(Short, other(**plots)))
    assert "'you.txt' is already written by the reporter 'acme'" in said
    assert files(tmp_path) == {"for/you.txt": b"1 result.", "report.log": b"another"}
    _, said = both(tmp_path / "2", "acme", "other", classes=(reporter(**plots), other(suffix=".txt", **plots)))
    assert "the reporter 'other' of" in said and "'good.svg' is already written by the reporter 'acme'" in said


@pytest.mark.parametrize("path", ["report.md", "Report.TXT", "report", "x/../report.csv", "report-x.txt"])
def test_no_file_has_the_name_of_a_report_not_even_one_that_is_not_of_the_spec(tmp_path, path):
    plots = reporter(render=lambda self, results: "", files=lambda self, results: {path: b""})
    with pytest.raises(PluginError, match=r"`files` must not have '.*', which is the name of a report"):
        reports(tmp_path, plots, ["acme"])
    assert files(tmp_path) == {}


def test_a_suffix_that_is_none_is_named(tmp_path):
    def prepared(self, options):
        self.options, self.suffix = options, None

    with pytest.raises(PluginError, match=r"`suffix` is None, not a string such as '\.txt'"):
        reports(tmp_path, reporter(__init__=prepared, printed=False))
    assert files(tmp_path) == {}


def test_a_reporter_that_leaves_the_process_is_one_that_fails(tmp_path):
    def leave(self, results):
        raise SystemExit(0)

    with pytest.raises(PluginError, match="SystemExit: 0"):
        reports(tmp_path, reporter(render=leave))
