"""Full fine-tuning."""

from __future__ import annotations

from typing import Any

from benchspec import Method, hookimpl


class Full(Method):
    """Every parameter learns."""

    name = "full"

    def apply(self, model: Any) -> Any:
        return model.requires_grad_(True)


@hookimpl
def benchspec_register() -> list[type[Full]]:
    return [Full]
