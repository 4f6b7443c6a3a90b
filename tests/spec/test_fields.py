"""The fields of one case: completed with defaults, settled on a machine, and checked."""

import pytest
from commands import called
from plugged import beside
from small import SMALL, mistakes, replaced

from benchspec import (
    Backend,
    BenchspecError,
    Fact,
    Facts,
    Hardware,
    Launcher,
    Method,
    Model,
    Recipe,
    SpecError,
    load,
    run,
)


def test_defaults_are_filled_in_everywhere(cases):
    (case,) = cases("limits: {timeout: 90 min}")
    assert case.dataset == {"name": "synthetic", "rows": 52_002, "seed": 42}
    assert case.model["weights"] is None and case.model["layers"] == 2
    assert (case.train["epochs"], case.train["learning_rate"], case.train["save"]) == (3, 2e-5, None)
    assert (case.method["name"], case.recipe["name"], case.launcher["name"]) == ("full", "alpaca", "torchrun")
    assert case.limits["timeout"] == 5400 and case.measure["warmup_steps"] is None


@pytest.mark.parametrize(("processes", "backend"), [(1, "single"), (2, "fsdp")])
def test_the_backend_follows_the_number_of_processes(cases, processes, backend):
    (case,) = cases(f"launcher: {{name: torchrun, processes: {processes}}}")
    assert case.backend["name"] == backend


def test_auto_is_one_process_an_accelerator_of_the_named_machine(cases):
    (case,) = cases("title: x", "hardware=xe9680-h100")
    assert (case.launcher["processes"], case.backend["name"]) == (8, "fsdp")
    (case,) = cases("title: x", "hardware=cpu")
    assert (case.launcher["processes"], case.backend["name"]) == (1, "single")


def test_a_whole_number_is_an_integer_however_it_is_written(cases):
    (case,) = cases("dataset: {name: synthetic, rows: 1e3}")
    assert case.dataset["rows"] == 1000 and isinstance(case.dataset["rows"], int)


def test_options_that_contradict_each_other(cases):
    with pytest.raises(SpecError, match=r"experiments.one.backend: backend 'deepspeed' does not use offload_param at"):
        cases("backend: {name: deepspeed, stage: 2, offload_param: {device: cpu}}")


def test_max_length_beyond_the_models_positions(cases):
    with pytest.raises(SpecError, match=r"train.max_length: max_length 4096 is more than the 2048 positions"):
        cases("train: {max_length: 4096}")
    assert cases("model: bloom-tiny\ntrain: {max_length: 4096}")


ASKED = "query: {prompts: [Hello.]}"


def test_a_query_is_completed_and_null_switches_it_off(cases):
    (case,) = cases("query: {prompts: [Hello., {instruction: Add., input: two}], temperature: 0.7}")
    assert case.query == {
        "prompts": ["Hello.", {"instruction": "Add.", "input": "two"}],
        **{"max_new_tokens": 64, "temperature": 0.7, "seed": 42, "batch_size": 8},
    }
    assert cases("title: x")[0].query is None
    assert cases("query: null")[0].query is None


def test_a_model_that_is_not_trained_is_asked_in_one_process(cases):
    (case,) = cases(f"method: none\n{ASKED}", "hardware=xe9680-h100")
    assert (case.launcher["processes"], case.backend["name"]) == (1, "single")


def test_without_training_there_must_be_a_query(cases):
    with pytest.raises(SpecError, match=r"one.method: the method 'none' does not train, .* give one, such as `query: "):
        cases("method: none")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{temperature: 1}", "one.query: 'prompts' is missing; give the instructions"),
        ("{prompts: [Hello.], temperature: 1.0e-9}", "query.temperature: temperature 1e-09 is too low to draw with"),
        (
            "{prompts: [Hello.], max_new_tokens: 2048}",
            "max_new_tokens 2048 is more than the 2048 positions of the model leave beside a prompt",
        ),
    ],
)
def test_what_cannot_be_asked(cases, query, said):
    with pytest.raises(SpecError, match=said):
        cases(f"query: {query}")


def test_more_new_tokens_than_positions(cases):
    with pytest.raises(SpecError, match=r"query.max_new_tokens: max_new_tokens 4096 is more than the 2048 positions"):
        cases("query: {prompts: [Hello.], max_new_tokens: 4096}")
    assert cases(f"method: none\ntrain: {{max_length: 4096}}\n{ASKED}")


class Unsaved(Method):
    name = "unsaved"
    loads = False

    def apply(self, model):
        return model


def test_a_query_needs_a_method_whose_checkpoint_can_be_loaded(write):
    text = f"{SMALL}    method: unsaved\n    {ASKED}\n"
    (line,) = mistakes(write(text), registry=beside(Unsaved))
    assert "one.query: the method 'unsaved' saves nothing that can be loaded again" in line


def test_a_required_option_that_nobody_gives(cases):
    with pytest.raises(SpecError, match=r"experiments.one.dataset: 'rows' is missing \(number of"):
        cases("dataset: {name: resampled, of: synthetic}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            replaced("    model: opt-tiny", "    title: x"),
            "spec.yaml:6:3: error: experiments.one: 'model' is missing; give it",
        ),
        (
            SMALL + "    matrix: {train.sed: [3, 4]}\n",
            "spec.yaml:8:14: error: experiments.one.matrix.train.sed[0]: unknown key 'sed'",
        ),
        (replaced("model: opt-tiny", "model: opt"), "experiments.one.model: "),
    ],
)
def test_a_mistake_is_one_line_with_place_and_reason(write, text, message):
    found = mistakes(write(text))
    assert any(message in line for line in found), found
    assert len(found) == 1


# The number of processes


class Eight(Hardware):
    name = "eight"

    def facts(self):
        return Facts(accelerator="Acme One", accelerators=8)


class Three(Backend):
    name = "three"
    processes = 3


class Nodes(Launcher):
    """Counts processes by hosts and by how many there are on each."""

    name = "nodes"
    options_schema = {
        "properties": {
            "nodes": {"type": "integer", "default": 1},
            "per_node": {"type": ["integer", "null"], "default": None},
        }
    }

    def settle(self, facts, only):
        return {**self.options, "per_node": self.options["per_node"] or only or facts.accelerators}

    def processes(self):
        return self.options["nodes"] * self.options["per_node"]

    def hosts(self):
        return self.options["nodes"]


@pytest.mark.parametrize("fields", ["backend: three", "backend: three\nlauncher: {name: torchrun, processes: auto}"])
def test_auto_is_the_only_number_that_the_backend_takes(cases, fields):
    (case,) = cases(fields, "hardware=eight", registry=beside(Eight, Three))
    assert case.launcher["processes"] == 3


def test_auto_is_one_process_for_single_however_many_accelerators_there_are(cases):
    fields = "matrix: {include: [{backend: single}, {train.seed: 1}]}"
    alone, all_of_them = cases(fields, "hardware=eight", registry=beside(Eight))
    assert (alone.backend["name"], alone.launcher["processes"]) == ("single", 1)
    assert (all_of_them.backend["name"], all_of_them.launcher["processes"]) == ("fsdp", 8)


def test_a_launcher_settles_and_counts_its_own_options(cases):
    registry = beside(Eight, Nodes)
    (case,) = cases("launcher: {name: nodes, nodes: 2}", "hardware=eight", registry=registry)
    assert case.launcher == {"name": "nodes", "nodes": 2, "per_node": 8}
    assert case.backend["name"] == "fsdp"
    with pytest.raises(
        SpecError, match="'single' runs on 1 process, but the launcher 'nodes' starts 2; choose another"
    ):
        cases("backend: single\nlauncher: {name: nodes, nodes: 2}", "hardware=eight", registry=registry)


def test_settled_launcher_options_do_not_change_the_id(cases):
    registry = beside(Eight, Nodes)
    (on_eight,) = cases("launcher: nodes", "hardware=eight", registry=registry)
    (said,) = cases("launcher: {name: nodes, per_node: 8}", "hardware=eight", registry=registry)
    assert on_eight.said["launcher"] == {"name": "nodes"}
    assert on_eight.launcher == said.launcher and on_eight.id != said.id


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_single_with_two_processes_is_refused_with_advice(write, monkeypatch, capsys, command):
    file = write(SMALL + "    backend: single\n    launcher: {name: torchrun, processes: 2}\n")
    assert called(monkeypatch, command, file) == 2
    assert capsys.readouterr().err == (
        f"{file}:8:14: error: experiments.one.backend: the backend 'single' runs on 1 process, but the launcher "
        "'torchrun' starts 2; choose another backend or another number of processes\n"
    )


def test_too_few_processes_are_refused_too(write):
    text = SMALL + "    backend: three\n    launcher: {name: torchrun, processes: 2}\n"
    (line,) = mistakes(write(text), registry=beside(Three))
    assert "the backend 'three' runs on 3 processes, but the launcher 'torchrun' starts 2" in line


# Recipes and backends


class OnTrainer(Backend):
    name = "on-trainer"


class OnEngine(Backend):
    name = "on-engine"

    def spread(self, model, optimizer, train):
        raise NotImplementedError


class OnBoth(OnEngine):
    name = "on-both"

    def arguments(self):
        return {}


class OwnLoop(Recipe):
    name = "own-loop"
    drives = "engine"


class Typo(Recipe):
    name = "typo"
    drives = "engin"


RECIPES = beside(OnTrainer, OnEngine, OnBoth, OwnLoop, Typo)


@pytest.mark.parametrize(
    ("recipe", "backend", "reason"),
    [
        (
            "own-loop",
            "on-trainer",
            "the recipe 'own-loop' has a training loop of its own, which needs a backend with the method 'spread'; "
            "the backend 'on-trainer' does not support that; choose another recipe or backend",
        ),
        (
            "alpaca",
            "on-engine",
            "the recipe 'alpaca' trains with transformers.Trainer, which needs a backend with 'arguments' or 'trainer'; "
            "the backend 'on-engine' does not support that; choose another recipe or backend",
        ),
        ("typo", "on-both", "the recipe 'typo' asks for 'engin', which no backend supports (known: engine, trainer)"),
    ],
)
def test_a_recipe_without_the_backend_that_it_needs_is_refused(write, recipe, backend, reason):
    (line,) = mistakes(write(SMALL + f"    recipe: {recipe}\n    backend: {backend}\n"), registry=RECIPES)
    assert line.startswith(f"spec.yaml:8:13: error: experiments.one.recipe: {reason}")


@pytest.mark.parametrize(
    ("recipe", "backend"),
    [("own-loop", "on-engine"), ("own-loop", "on-both"), ("alpaca", "on-both"), ("alpaca", "on-trainer")],
)
def test_a_recipe_with_the_backend_that_it_needs_is_fine(write, recipe, backend):
    assert mistakes(write(SMALL + f"    recipe: {recipe}\n    backend: {backend}\n"), registry=RECIPES) == []


# Plugins that fail


def failing(error):
    def fails(self, *args):
        raise error

    return fails


def failing_class(base, error, *methods):
    return type("Acme", (base,), {"name": "acme", **{name: failing(error) for name in methods}})


BUG = KeyError("partition")
MISTAKE = BenchspecError("no partition is called 'gpu'")
BROKEN = f"benchspec-acme 1.0 (benchspec_acme) rejects its options: KeyError: 'partition' ({__file__}:"


@pytest.mark.parametrize(("error", "said"), [(BUG, BROKEN), (MISTAKE, "no partition is called 'gpu'")])
@pytest.mark.parametrize(
    ("base", "method"),
    [
        (Launcher, "__init__"),
        (Launcher, "settle"),
        (Launcher, "processes"),
        (Backend, "__init__"),
        (Model, "__init__"),
        (Model, "shape"),
    ],
)
def test_a_plugin_that_fails_is_one_line_with_its_message_or_its_package(write, base, method, error, said):
    text = replaced("    model: opt-tiny", f"    {base.kind}: acme\n" + "    model: opt-tiny" * (base is not Model))
    (line,) = mistakes(write(text), registry=beside(failing_class(base, error, method)))
    assert line.startswith(f"spec.yaml:7:{len(base.kind) + 7}: error: experiments.one.{base.kind}: {said}")


def test_a_launcher_that_leaves_auto_as_it_is_is_one_line(write):
    class Unsettled(Launcher):
        name = "acme"
        options_schema = {"properties": {"processes": {"type": ["string", "integer"], "default": "auto"}}}

    (line,) = mistakes(write(SMALL + "    launcher: acme\n"), registry=beside(Unsettled))
    assert "experiments.one.launcher: benchspec-acme 1.0 (benchspec_acme) rejects its options: ValueError" in line


@pytest.mark.parametrize("count", [None, "2", [2], 2.5, True, 0, -1])
def test_a_launcher_that_counts_wrongly_is_one_line(write, count):
    class Counts(Launcher):
        name = "acme"

        def processes(self):
            return count

    (line,) = mistakes(write(SMALL + "    launcher: acme\n"), registry=beside(Counts))
    assert f"Counts.processes() returned {count!r}, not a number of at least 1 ({__file__}:" in line


@pytest.mark.parametrize("shape", ["large", 3, [1]])
def test_a_model_with_a_wrong_shape_is_one_line(write, shape):
    class Odd(Model):
        name = "acme"

        def shape(self):
            return shape

    (line,) = mistakes(write(replaced("opt-tiny", "acme")), registry=beside(Odd))
    assert f"Odd.shape() returned {shape!r}, not a Shape or None ({__file__}:" in line


# Hardware


def known(**figures):
    return lambda self: Facts(**{"accelerator": "Acme One", "accelerators": 8, **figures})


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (failing(OSError("no such device")), f": facts() failed: OSError: no such device ({__file__}:"),
        (failing(MISTAKE), ": facts() failed: no partition is called 'gpu'"),
        (lambda self: 8, f": <lambda>() returned 8, not a Facts ({__file__}:"),
        (known(memory=80e9), ": facts().memory is 80000000000.0, not a Fact with a number, or None"),
        (known(memory=Fact("80 GiB", "a page")), ": facts().memory is Fact(value='80 GiB', source='a page'), not a"),
        (known(peak={"bf16": 1e15}), ": facts().peak['bf16'] is 1000000000000000.0, not a Fact with a number, or None"),
        (known(peak=None), ": facts().peak is None, not a mapping"),
        (known(currency=978), ": facts().currency is 978, not a string such as 'USD', or None"),
        (known(accelerators="8"), ": facts().accelerators is '8', not an integer from 0"),
        (known(accelerators=-1), ": facts().accelerators is -1, not an integer from 0"),
        (known(accelerators=True), ": facts().accelerators is True, not an integer from 0"),
        (
            known(memory=Fact(float("nan"), "a page")),
            ": facts().memory is Fact(value=nan, source='a page'), not a Fact",
        ),
        (known(memory=(8, "a page")), ": facts().memory is (8, 'a page'), not a Fact with a number, or None"),
        (known(peak={"bf16": Fact(0, "a page")}), ": facts().peak['bf16'] is Fact(value=0, source='a page'), not a"),
    ],
)
def test_failing_hardware_is_one_line_and_stops_everything(write, tmp_path, facts, said):
    file = write(replaced("name: small", "name: small\nhardware: acme") + "  two:\n    model: bloom-tiny\n")
    registry = beside(type("Acme", (Hardware,), {"name": "acme", "facts": facts}))
    (line,) = mistakes(file, registry=registry)
    assert line.startswith(f"spec.yaml:3:11: error: hardware: benchspec-acme 1.0 (benchspec_acme){said}")
    with pytest.raises(SpecError, match="benchspec_acme"):
        run(load(file, registry=registry), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("hardware", "said"),
    [
        ("{name: auto, acc: 8}", "spec.yaml:3:24: error: hardware.acc: unknown key 'acc'"),
        ("{name: auto, price_per_hour: lots}", "hardware.price_per_hour: expected a number or null, found 'lots'"),
        (
            "{name: auto, currency: euro}",
            "hardware.currency: 'euro' is not allowed: currency of the price, three capital letters as in ISO 4217",
        ),
        ("{name: custom, accelerators: many}", "hardware.accelerators: expected an integer, found 'many'"),
        ("custom", "hardware: "),
    ],
)
def test_a_mistake_in_the_hardware_is_not_repeated_for_the_cases(write, hardware, said):
    (line,) = mistakes(write(replaced("name: small", f"name: small\nhardware: {hardware}")))
    assert said in line
