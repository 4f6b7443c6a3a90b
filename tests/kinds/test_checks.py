"""Classes that cannot be used as plugins: what is wrong, in which file and line."""

from pathlib import Path

import pytest
from plugged import backend, dataset, only

from benchspec import Backend, Dataset, Launcher, Model, PluginError, Recipe, Reporter
from benchspec.kinds.checks import likely_misspelt, problems

HERE = Path(__file__).name


class Singular(Dataset):
    name = "singular"

    def row(self):
        return []


class Unproven(Backend):
    name = "unproven"


class Detached(Launcher):
    name = "detached"

    def start(self, case_dir):
        return None

    def attached(self, id):
        return None


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (Singular, "Singular: the method rows() is missing, which every dataset needs; did you mean its method 'row'?"),
        (Unproven, "Unproven: the method prove() is missing, which every backend needs"),
        (Detached, "Detached: the method attach() is missing, which every launcher needs; did you mean its method"),
    ],
)
def test_a_method_that_is_missing_or_misspelt_is_reported_with_file_and_line(cls, reason):
    (problem,) = problems(cls)
    assert problem.startswith(reason)
    line = 1 + Path(__file__).read_text().splitlines().index(f"class {cls.__name__}({cls.__base__.__name__}):")
    assert problem.endswith(f"{HERE}:{line})")


def test_an_inherited_method_is_enough():
    class Few(dataset("rows")):
        name = "few"

    assert list(problems(Few)) == []


class Counted(Dataset):
    name = "counted"

    def rows(self):
        return []

    def sizes(self):
        return 5

    def read(self):
        return []


def test_a_name_almost_that_of_a_method_with_a_default_is_a_remark_only():
    assert list(problems(Counted)) == []
    assert likely_misspelt(Counted) == ["Counted.sizes(): did you mean 'size'?"]


def test_a_name_almost_that_of_an_attribute_with_a_default_is_a_remark_too():
    made = of(Reporter, sufix=".md", option_schema={}, colour="blue")
    assert likely_misspelt(made) == [
        "Made.option_schema: did you mean 'options_schema'?",
        "Made.sufix: did you mean 'suffix'?",
    ]


def of(base, **attributes):
    """A class that has every method it needs."""
    needed = ("train", "tokenizer", "build", "start", "attach", "render")
    return type("Made", (base,), {"name": "made", **dict.fromkeys(needed, lambda self: None), **attributes})


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        ({"rows": 1}, "benchspec_register returned {'rows': 1}, which is not a subclass"),
        (int, "benchspec_register returned <class 'int'>, which is not a subclass of Dataset, Model"),
        ("rows", "benchspec_register returned 'rows', which is not a subclass"),
        (dataset(None), "the class has no 'name'"),
        (dataset("x", options_schema=5), "options_schema must be a mapping"),
        (dataset("x", presets={"y": 5}), "presets a mapping of mappings"),
        (dataset("../../evil"), "'../../evil' is not a valid name"),
        (dataset("x", presets={"a b": {}}), "'a b' is not a valid name"),
        (of(Launcher, parallel="4"), "'parallel' is '4', not a number of at least 1"),
        (of(Launcher, parallel=0), "'parallel' is 0, not a number of at least 1"),
        (of(Launcher, parallel=True), "'parallel' is True, not a number of at least 1"),
        (backend("x", processes="1"), "'processes' is '1', not a number of at least 1, or None"),
        (of(Reporter, suffix=None), "'suffix' is None, not a string"),
        (of(Reporter, printed="no"), "'printed' is 'no', not True or False"),
        (of(Model, blocks="Block"), "'blocks' is 'Block', not a list of class names"),
        (of(Recipe, templates={"with_input": "{input}"}), "not a mapping with the texts 'with_input' and"),
        (
            of(Recipe, templates={"with_input": "{input}{output}", "without_input": ""}),
            "of {instruction} and {input} alone",
        ),
        (of(Recipe, rows_vary=lambda self: True), "'rows_vary' is <function"),
        (backend("x", optimizers=lambda self: []), "not a list of optimizers, or None"),
        (of(Launcher, elsewhere=lambda self: 1), "'elsewhere' is <function"),
        (of(Reporter, options_schema={"properties": {"path": {"type": "string"}}}), "'path' is where a spec keeps a"),
    ],
)
def test_what_else_makes_a_class_unusable(cls, reason):
    (problem,) = problems(cls)
    assert reason in problem


def test_what_a_property_gives_is_not_asked_of_the_class():
    assert list(problems(of(Launcher, parallel=property(lambda self: self.options["jobs"])))) == []


def test_an_instance_in_place_of_a_class_is_named():
    (problem,) = problems(dataset("x")({}))
    assert problem.startswith("benchspec_register returned an instance of Rows, not the class")


def test_a_constructor_that_leaves_out_the_options_is_named():
    cls = dataset("x", __init__=lambda self, given: None)
    with pytest.raises(PluginError, match=r"Rows.__init__ leaves out `options`: call super\(\).__init__\(options\)"):
        only(cls).create("dataset", {"name": "x"})
