"""What a user sees of errors and exit codes; nothing is run here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from commands import called
from compared_runs import run_dir
from conftest import BENCHSPEC, benchspec

from benchspec import Results, cli
from benchspec.terms.errors import BenchspecError, NothingSelected, Problem, SpecError

SPEC = """
benchspec: 1
name: demo
experiments:
  sizes: {model: opt-tiny, dataset: {name: synthetic, rows: 8}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("demo.yaml").write_text(SPEC)
    return tmp_path


def raising(error):
    def command(**kwargs):
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BenchspecError("no such thing"), 2, "error: no such thing\n"),
        (NothingSelected("--only x selects no case"), 3, "error: --only x selects no case\n"),
        (SpecError([Problem("a.yaml", 3, 5, "name", "no")] * 2), 2, "a.yaml:3:5: error: name: no\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
        (PermissionError(13, "Permission denied", "a.yaml"), 2, "error: a.yaml: Permission denied\n"),
    ],
)
def test_an_error_is_a_line_and_an_exit_code(monkeypatch, capsys, error, code, said):
    monkeypatch.setattr(cli.schema, "callback", raising(error))
    assert called(monkeypatch, "schema") == code
    assert capsys.readouterr().err == said


def test_a_bug_shows_its_traceback(monkeypatch):
    monkeypatch.setattr(cli.schema, "callback", raising(ZeroDivisionError("a bug")))
    monkeypatch.setattr("sys.argv", ["benchspec", "schema"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "demo.yaml", "--only", "opt-30b"], 3, "error: --only opt-30b selects no case (sizes/opt-tiny-"),
        (["run", "demo.yaml", "--reporter", "tabel"], 2, "did you mean 'table'?"),
        (["run", "demo.yaml", "--set", "defaults.trian.epochs=1"], 2, "did you mean 'train'?"),
        (["run", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["run"], 2, "Missing argument 'SPEC'. (`benchspec run --help` shows its options)"),
        (["rum"], 2, "Did you mean 'run'? (`benchspec --help` lists the commands)"),
        (["report", "nowhere"], 2, "error: nowhere: no such run directory\n"),
        (["report", "."], 2, "error: . is not a run directory"),
    ],
)
def test_wrong_arguments_are_reported_before_anything_starts(folder, monkeypatch, capsys, arguments, code, said):
    assert called(monkeypatch, *arguments) == code
    assert said in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_second_signal_does_not_interrupt_what_the_first_one_ended(folder, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)

    def kept(*args):
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) * 20:
            os.kill(os.getpid(), signum)
        return "interrupted, and nothing else"

    monkeypatch.setattr("benchspec.run", interrupted)
    monkeypatch.setattr("benchspec.running.view.interrupted", kept)
    assert called(monkeypatch, "run", "demo.yaml") == 130
    assert capsys.readouterr().err == "interrupted, and nothing else\n"


def test_an_interruption_counts_the_cases_that_were_selected(folder, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    class Loaded(list):
        def missing(self):
            return []

    others = Loaded([SimpleNamespace(full_name="sizes/gone"), SimpleNamespace(full_name="others/x")])
    monkeypatch.setattr(Results, "load", lambda folder: others)
    monkeypatch.setattr("benchspec.run", interrupted)
    assert called(monkeypatch, "run", "demo.yaml", "--only", "sizes") == 130
    assert "interrupted: 0 of 1 cases have a result" in capsys.readouterr().err


def test_nohup_still_ignores_sighup(folder, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr("sys.argv", ["benchspec", "schema", "event"])
        with pytest.raises(SystemExit):
            cli.main()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("fresh", "said"),
    [
        (False, "interrupted: 0 of 1 cases have a result in runs/demo; run the same command to resume"),
        (True, "interrupted: 0 of 1 cases have a result in runs/demo; run the same command without --fresh to resume"),
    ],
)
def test_an_interruption_shows_what_is_kept_and_how_to_resume(folder, monkeypatch, capsys, fresh, said):
    def interrupted(*args, **kwargs):
        Path("runs/demo").mkdir(parents=True)
        Path("runs/demo/run.json").write_text('{"name": "demo", "cases": [["sizes", "opt-tiny-1f9c2a"]]}')
        raise KeyboardInterrupt

    monkeypatch.setattr("benchspec.run", interrupted)
    assert called(monkeypatch, "run", "demo.yaml", *(["--fresh"] if fresh else [])) == 130
    assert said in capsys.readouterr().err


def test_a_closed_pipe_is_not_an_error(folder):
    piped = " ".join(f"'{part}'" for part in BENCHSPEC) + " schema | head -1; echo ${PIPESTATUS[0]}"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, env=os.environ)
    assert (done.stdout.split(), done.stderr) == (["{", "0"], "")


def test_help_lists_the_commands(folder):
    shown = benchspec("--help", cwd=folder, env={"COLUMNS": "80"}).stdout
    assert "Run the cases that have no result yet" in shown
    assert not any(line.endswith("...") for line in shown.splitlines()[1:])


def test_without_a_command_the_help_is_readable(folder):
    shown = benchspec(cwd=folder)
    assert shown.returncode == 2
    lines = shown.stderr.splitlines()
    assert lines[0].startswith("Usage: ") and any(line.startswith("  run ") for line in lines)


#: a file name and a docstring that would write to the clipboard of a terminal, and colour it
HOSTILE = "\x1b]52;c;cHduZWQ=\x07\x1b[31m"


def shown(monkeypatch, capsys, *arguments):
    """What a command prints, which must hold nothing that a terminal would act on."""
    called(monkeypatch, *arguments)
    text = "".join(capsys.readouterr())
    assert text.replace("\n", "").isprintable()
    return text


def test_a_hostile_file_name_is_shown_and_does_not_act(folder, monkeypatch, capsys):
    good, bad = Path(f"{HOSTILE}.yaml"), Path(f"bad{HOSTILE}.yaml")
    good.write_text(SPEC)
    bad.write_text(SPEC + "more: 1\n")
    text = shown(monkeypatch, capsys, "validate", good, bad)
    assert r"\x1b]52;c;cHduZWQ=\x07\x1b[31m.yaml: ok, 1 case" in text
    assert r"bad\x1b]52;c;cHduZWQ=\x07\x1b[31m.yaml:6:1: error: " in text
    assert r"\x1b[31m: no such" in shown(monkeypatch, capsys, "report", HOSTILE)


def test_a_hostile_plugin_is_shown_and_does_not_act(folder, installed, monkeypatch, capsys):
    source = f"""\
        from benchspec import Reporter, hookimpl


        class Loud(Reporter):
            {f"Loud {HOSTILE}."!r}

            name = "loud"

            def render(self, results):
                return {HOSTILE!r}


        @hookimpl
        def benchspec_register():
            return [Loud]
    """
    installed("loud", source)
    assert r"Loud \x1b]52;c" in shown(monkeypatch, capsys, "plugins")
    assert r"Loud \u001b]52;c" in shown(monkeypatch, capsys, "plugins", "--format", "json")
    Path("run").mkdir()
    Path("run/results.jsonl").touch()
    assert r"\x1b]52;c" in shown(monkeypatch, capsys, "report", "run", "--reporter", "loud")


def test_a_run_directory_may_have_a_name_that_is_no_text(scripted, monkeypatch, capsys):
    scripted("ok")
    assert called(monkeypatch, "run", "demo.yaml", "--out", "out\udcff") == 0
    assert called(monkeypatch, "plan", "demo.yaml", "--out", "out\udcff") == 0
    assert r"1 done in out\udcff, 0 to run" in capsys.readouterr().out
    assert Path("out\udcff/run.json").is_file()


def test_a_spec_may_have_a_name_that_is_no_text(folder, monkeypatch, capsys):
    Path("demo.yaml").rename("demo\udcff.yaml")
    assert called(monkeypatch, "validate", "demo\udcff.yaml", "gone\udcff.yaml", "--format", "json") == 2
    assert r"gone\udcff.yaml" in capsys.readouterr().out


def test_plugins_ends_with_1_where_something_did_not_load(folder, installed, monkeypatch, capsys):
    assert called(monkeypatch, "plugins") == 0
    installed("broken_plugin", "raise ValueError('no')")
    capsys.readouterr()
    assert called(monkeypatch, "plugins") == called(monkeypatch, "plugins", "--format", "json") == 1
    shown = capsys.readouterr().out
    assert "opt-6.7b" in shown and "broken_plugin 1.0 (broken_plugin): ValueError: no (" in shown
    assert called(monkeypatch, "plugins", "opt-6.7b") == 0, "with a name, it shows that plugin"


def test_plugins_with_a_name_shows_its_options(folder, monkeypatch, capsys):
    assert called(monkeypatch, "plugins", "deepspeed") == 0
    assert "stage: 0 or 1 or 2 or 3 (default: 3)" in capsys.readouterr().out
    assert called(monkeypatch, "plugins", "deepsped") == 2
    assert "no plugin is called 'deepsped'; did you mean 'deepspeed'?" in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_plugins_fits_the_terminal(folder, monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    called(monkeypatch, "plugins")
    called(monkeypatch, "plugins", "deepspeed")
    assert max(map(len, capsys.readouterr().out.splitlines())) <= int(columns)


def test_signals_that_come_at_the_same_time_are_one_interruption():
    program = """
import os, signal
from benchspec import cli
signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
for each in signals:
    signal.signal(each, cli._interrupt)
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
for each in signals:
    os.kill(os.getpid(), each)
try:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


@pytest.mark.parametrize(
    ("head", "code", "verdict"), [(1.0, 0, "same"), (0.9, 1, "worse"), (1.1, 0, "better"), (None, 4, "not comparable")]
)
def test_compare_exits_by_its_verdict(tmp_path, monkeypatch, capsys, head, code, verdict):
    pytest.importorskip("scipy")
    monkeypatch.chdir(tmp_path)
    rates = [100.0, 100.1, 99.9]
    run_dir(tmp_path / "base", rates)
    run_dir(tmp_path / "head", [(head or 1.0) * rate for rate in rates], **({} if head else {"losses": (9.0,)}))
    assert called(monkeypatch, "compare", "base", "head", "--format", "json") == code
    found = json.loads(capsys.readouterr().out)
    assert (found["base"], found["head"], found["verdict"]) == ("base", "head", verdict)


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 1)])
def test_too_few_launches_to_say_are_a_failure_if_asked_so(tmp_path, monkeypatch, capsys, options, code):
    pytest.importorskip("scipy")
    run_dir(tmp_path / "base", [100.0])
    run_dir(tmp_path / "head", [90.0])
    monkeypatch.chdir(tmp_path)
    assert called(monkeypatch, "compare", "base", "head", *options) == code
    assert "1 undecided" in capsys.readouterr().out


@pytest.mark.parametrize(("bound", "code"), [("below: 0.000001 s", 1), ("below: 1000 h", 0)])
def test_a_published_value_that_is_not_met_is_a_failure_if_asked_so(scripted, monkeypatch, bound, code):
    values = f"values: [{{experiment: ends, {bound}}}]"
    scripted("ok", more=f"references:\n  - {{source: ours, metric: wall_time, {values}}}\n")
    assert called(monkeypatch, "run", "demo.yaml") == 0
    assert called(monkeypatch, "report", "runs/demo") == 0
    assert called(monkeypatch, "report", "runs/demo", "--strict") == code
    assert called(monkeypatch, "run", "demo.yaml", "--strict") == code


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--threshold", ".."], "'..' is not a number with a unit such as '2%'"),
        (["--threshold", "3x"], "'3x' is not a number with a unit such as '2%'"),
        (["--threshold", "0%"], "'0%' is not between 0 and 100%"),
        (["--threshold", "1.5"], "'1.5' is not between 0 and 100%"),
        (["--metric", "steps"], "'steps' is not one of 'train_runtime'"),
        (["--across", "time"], "'time' is not one of 'machine', 'libraries'"),
    ],
)
def test_compare_refuses_what_it_cannot_mean(tmp_path, monkeypatch, capsys, options, said):
    assert called(monkeypatch, "compare", str(tmp_path), str(tmp_path), *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_compare_says_where_base_and_head_are_one_folder(tmp_path, monkeypatch, capsys):
    run_dir(tmp_path / "run", [1.0])
    called(monkeypatch, "compare", str(tmp_path / "run"), f"{tmp_path}/./run")
    assert "base and head are the same run directory" in capsys.readouterr().err


def test_compare_of_no_run_directory_is_one_line(tmp_path, monkeypatch, capsys):
    assert called(monkeypatch, "compare", str(tmp_path / "a"), str(tmp_path / "b")) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'a'}: no such run directory\n"


def test_history_draws_what_it_prints(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    for number in (1, 2):
        run_dir(tmp_path / f"runs/{number}", [100.0 + number], started=86400.0 * number)
    monkeypatch.chdir(tmp_path)
    assert called(monkeypatch, "history", "runs", "--figure", "history.svg") == 0
    printed = capsys.readouterr()
    assert "1970-01-02 00:00  runs/1" in printed.out and "figure in history.svg" in printed.err
    assert (tmp_path / "history.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--figure", "history.txt"], "--figure history.txt: its name must end in .svg or .png"),
        (["--metric", "mfu"], "no case of these runs has mfu"),
    ],
)
def test_history_refuses_what_it_cannot_show(tmp_path, monkeypatch, capsys, options, said):
    run_dir(tmp_path / "run", [100.0])
    assert called(monkeypatch, "history", tmp_path, *options) == 2
    assert capsys.readouterr().err == f"error: {said}\n"


def test_history_says_by_its_own_name_which_figure_it_cannot_write(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    run_dir(tmp_path / "run", [100.0])
    assert called(monkeypatch, "history", tmp_path, "--figure", tmp_path / "no/figure.svg") == 2
    said = f"error: --figure {tmp_path}/no/figure.svg: cannot be written (No such file or directory)\n"
    assert capsys.readouterr().err.endswith(said)


def test_export_says_what_it_wrote(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyarrow")
    run_dir(tmp_path / "run", [100.0])
    assert called(monkeypatch, "export", tmp_path / "run", "--to", "parquet", "--out", tmp_path / "out") == 0
    assert capsys.readouterr().err == (
        f"{tmp_path}/out/results.parquet (1 rows), {tmp_path}/out/steps.parquet (3 rows)\n"
    )
    (tmp_path / "file").touch()
    assert called(monkeypatch, "export", tmp_path / "run", "--to", "parquet", "--out", tmp_path / "file") == 2
    assert capsys.readouterr().err == f"error: {tmp_path}/file: File exists\n"
