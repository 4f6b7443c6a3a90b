"""The defaults of a plugin that overrides only what it must."""

import benchspec
from benchspec.kinds.bases import Backend, Launcher, Recipe, Reporter


class Starts(Launcher):
    name = "starts"


def test_a_launcher_starts_the_processes_of_its_option_on_one_host():
    assert (Starts({}).processes(), Starts({"processes": 3}).processes(), Starts({}).hosts()) == (1, 3, 1)


def test_a_launcher_settles_nothing_and_reports_no_deaths(tmp_path):
    launcher = Starts({"processes": "auto"})
    assert launcher.settle(benchspec.Facts(accelerator="GPU", accelerators=8), None) == {"processes": "auto"}
    assert launcher.deaths(tmp_path) == {}


def test_a_handle_is_not_waiting():
    assert benchspec.Handle().waiting() is False


def test_a_recipe_drives_trainer_and_does_not_know_its_steps():
    assert (Recipe.drives, Recipe({}).steps(100, {}, 2)) == ("trainer", None)


def test_a_reporter_is_printed_and_has_no_further_files():
    assert (Reporter.printed, Reporter({}).files([])) == (True, {})


def backend(*methods):
    return type("B", (Backend,), {name: lambda self, *rest: {} for name in methods})


def test_a_backend_supports_the_recipes_whose_methods_it_has():
    assert backend().dialects() == backend("prove").dialects() == {"trainer"}
    assert backend("arguments").dialects() == backend("trainer").dialects() == {"trainer"}
    assert backend("spread").dialects() == {"engine"}
    assert backend("spread", "trainer").dialects() == {"trainer", "engine"}


def test_a_backend_leaves_parameters_whole_and_takes_any_number_of_processes():
    class Parameter:
        def numel(self):
            return 12

    parameter = Parameter()
    assert Backend({}).local(parameter) is parameter
    assert (Backend({}).numel(parameter), Backend.processes) == (12, None)


def test_datasets_methods_and_models_know_nothing_in_advance():
    assert (benchspec.Dataset({}).order(), benchspec.Dataset({}).size(), benchspec.Dataset({}).identity()) == (
        None,
    ) * 3
    assert benchspec.Model({}).shape() is None
    assert benchspec.Method({}).share(None) is None
