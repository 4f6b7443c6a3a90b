"""Full fine-tuning."""

from __future__ import annotations

from typing import Any

from benchspec import Method, Shape, Share, hookimpl


class Full(Method):
    """Every parameter is trained."""

    name = "full"

    def apply(self, model: Any) -> Any:
        return model.requires_grad_(True)

    def share(self, shape: Shape) -> Share:
        return Share(learning=shape.multiplied, reached=shape.multiplied, layers=shape.layers)


@hookimpl
def benchspec_register() -> list[type[Full]]:
    return [Full]
