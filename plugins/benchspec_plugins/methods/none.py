"""No training: a case that only asks the model."""

from __future__ import annotations

from typing import Any

from benchspec import Method, hookimpl


class NoTraining(Method):
    """Nothing is trained: the model is built and asked what `query` says, as it is, without a template.

    Of `train`, only `precision`, `seed` and `attention` count then; the data set is not read.
    """

    name = "none"
    trains = False

    def apply(self, model: Any) -> Any:
        return model.requires_grad_(False)


@hookimpl
def benchspec_register() -> list[type[NoTraining]]:
    return [NoTraining]
