"""What all cases of a run share."""

import pytest
from plugged import beside

from benchspec import Launcher, PluginError, load
from benchspec.running.execution import launcher_of


class Many(Launcher):
    name = "many"
    options_schema = {"properties": {"at_once": {"default": 4}}}

    @property
    def parallel(self):
        return self.options["at_once"]


def launched(cases, tmp_path, value):
    registry = beside(Many)
    (case,) = cases(f"launcher: {{name: many, at_once: {value}}}", registry=registry)
    return launcher_of(load(tmp_path / "spec.yaml", registry=registry), case)


def test_a_launcher_says_how_many_cases_may_run_at_once(cases, tmp_path):
    assert launched(cases, tmp_path, 3).parallel == 3


@pytest.mark.parametrize("value", ["'4'", "0", "true", "null", "2.5"])
def test_a_launcher_that_says_it_wrongly_is_one_line(cases, tmp_path, value):
    with pytest.raises(PluginError, match=rf"^Many: 'parallel' is .*, not a number of at least 1 \({__file__}:\d+\)$"):
        launched(cases, tmp_path, value)
