"""What the settings of training need of this machine."""

import pytest

from benchspec.cases import training
from benchspec.cases.check import checked, unobtainable


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{optimizer: adamw_8bit}", "adamw_8bit needs bitsandbytes: pip install bitsandbytes"),
        ("{compile: true}", "torch.compile needs a C++ compiler: install one, e.g. apt-get install g++"),
    ],
)
def test_what_is_missing_is_a_warning_in_a_plan_and_refused_by_a_run(write, monkeypatch, settings, said) -> None:
    monkeypatch.setattr(training, "find_spec", lambda name: None)
    monkeypatch.setattr(training, "absent_tools", lambda: ["a C++ compiler"])
    file = write(f"""
        benchspec: 1
        name: x
        experiments:
          one: {{model: opt-tiny, dataset: synthetic, train: {settings}}}
    """)
    spec, expansion, _, _ = checked(str(file))
    ((missing,),) = expansion.absent.values()
    assert missing.message == said
    assert [problem.message for problem in unobtainable(spec, expansion, expansion.cases)] == [said]


def test_nothing_is_missing_for_the_defaults(cases) -> None:
    (case,) = cases("title: x")
    assert (case.train["optimizer"], case.train["compile"]) == ("adamw", False)


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("fsdp", "the backend 'fsdp' does not support the optimizer 'adafactor' (supported: adamw, adamw_fused)"),
        ("deepspeed", "does not support the optimizer 'adafactor' (supported: adamw, adamw_fused, adamw_8bit)"),
    ],
)
def test_an_optimizer_that_a_backend_cannot_take_is_refused(cases, backend, said) -> None:
    from benchspec import SpecError

    with pytest.raises(SpecError) as error:
        cases(f"backend: {backend}\ntrain: {{optimizer: adafactor}}")
    assert said in str(error.value)


@pytest.mark.parametrize(("launcher", "refused"), [("torchrun", 1), ("{name: slurm, gpus_per_node: 8}", 0)])
def test_attention_of_gpus_is_refused_where_the_cases_run_here_without_any(write, monkeypatch, launcher, refused):
    monkeypatch.setattr(training, "accelerators", list)
    file = write(f"""
        benchspec: 1
        name: x
        experiments:
          one: {{model: opt-tiny, dataset: synthetic, launcher: {launcher}, train: {{attention: flash}}}}
    """)
    found = [problem for problems in checked(str(file))[1].absent.values() for problem in problems]
    assert sum("flash attention is trained on GPUs only" in problem.message for problem in found) == refused
