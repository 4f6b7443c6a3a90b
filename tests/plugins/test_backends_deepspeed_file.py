"""A DeepSpeed JSON file in place of the backend's options."""

import json

import pytest
from drive_backend import create

from benchspec import PluginError
from benchspec_plugins.backends.deepspeed import DeepSpeed


@pytest.fixture
def given(tmp_path):
    def make(content, **options):
        file = tmp_path / "ds.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return create(DeepSpeed, {"config": str(file), **options})

    return make


def test_the_stage_is_the_files(given):
    assert given({"zero_optimization": {"stage": 2}}).stage == 2
    assert given({"zero_optimization": {"stage": 1}}, stage=1).stage == 1
    assert given({}).stage == 0


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("{", {}, "is not valid JSON"),
        ([], {}, "is no DeepSpeed configuration: it is a list"),
        ({"zero_optimization": {"stage": 2}}, {"stage": 1}, "says stage 2, and the spec 1: leave `stage` out"),
        ({}, {"overlap_comm": True}, "takes overlap_comm or a config, not both"),
        ({"optimizer": {"type": "AdamW"}}, {}, "has optimizer, which a spec says by train.optimizer"),
        ({"fp16": {"enabled": True}}, {}, r"has fp16, which a spec says by train.precision"),
        ({"gradient_clipping": 0.5}, {}, "has a fixed gradient_clipping, which follows from the spec's `train`"),
        ({"zero_optimization": 3}, {}, "zero_optimization is no mapping"),
        ({"zero_optimization": {"stage": None}}, {}, "zero_optimization.stage is null, not 0, 1, 2 or 3"),
        ({"zero_optimization": {"stage": 99}}, {}, "zero_optimization.stage is 99, not 0, 1, 2 or 3"),
        ({"zero_optimization": {"offload_optimizer": "cpu"}}, {}, "zero_optimization.offload_optimizer is no mapping"),
        (
            {"zero_optimization": {"stage": 3, "offload_param": {"device": 5}}},
            {},
            "offload_param.device is 5, not none, cpu or nvme",
        ),
        ({"bf16": "yes"}, {}, "bf16 is no mapping"),
        ({"optimizer": []}, {}, "has optimizer, which a spec says by train.optimizer"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(given, content, options, said):
    with pytest.raises(PluginError, match=said):
        given(content, **options)


def test_what_is_switched_off_or_automatic_is_no_contradiction(given):
    given({"fp16": {"enabled": False}, "gradient_clipping": "auto", "train_batch_size": "auto"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"offload_param": {"device": "nvme", "nvme_path": "/tmp"}}, "keeps parameters in host memory only"),
        (
            {"stage": 2, "offload_optimizer": {"device": "nvme", "nvme_path": "/tmp"}},
            "keeps optimizer states on a drive at stage 3 only, not at stage 2",
        ),
    ],
)
def test_what_deepspeed_does_not_keep_on_a_drive_is_refused(given, options, said):
    with pytest.raises(PluginError, match=said):
        create(DeepSpeed, options)
    stage, places = options.get("stage", 3), {name: value for name, value in options.items() if name != "stage"}
    with pytest.raises(PluginError, match=said):
        given({"zero_optimization": {"stage": stage, **places}})


@pytest.mark.parametrize(("device", "optimizers"), [("none", 3), ("cpu", 1)])
def test_offloaded_states_have_deepspeeds_optimizer_and_those_on_none_have_any(given, device, optimizers):
    backend = given({"zero_optimization": {"stage": 2, "offload_optimizer": {"device": device}}})
    assert len(backend.optimizers) == optimizers
