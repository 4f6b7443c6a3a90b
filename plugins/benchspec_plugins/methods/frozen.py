"""Fine-tuning of the last blocks only."""

from __future__ import annotations

from typing import Any

from benchspec import Method, PluginError, Shape, Share, hookimpl
from benchspec_plugins.methods.parts import find_blocks


class Frozen(Method):
    """The last blocks and the norm after them are trained; the other blocks, embeddings and head stay as they are.

    The gradient ends at the first block that is trained, so the others cost a forward pass only, and neither gradients
    nor optimizer states. The whole model is saved.
    """

    name = "frozen"
    options_schema = {
        "properties": {
            "blocks": {"type": "integer", "minimum": 1, "default": 1, "description": "how many blocks are trained"}
        }
    }

    def apply(self, model: Any) -> Any:
        blocks, norms = find_blocks(model)
        self._check(len(blocks))
        model.requires_grad_(False)
        for part in (*blocks[-self._count :], *norms):
            part.requires_grad_(True)
        return model

    def share(self, shape: Shape) -> Share | None:
        self._check(shape.layers)
        block = shape.block_parameters
        if block is None:
            return None
        # The norm is left out: it has two of every ten thousand parameters of a block.
        return Share(self._count * block, shape.multiplied - (shape.layers - self._count) * block, self._count)

    @property
    def _count(self) -> int:
        return int(self.options["blocks"])

    def _check(self, blocks: int) -> None:
        if self._count > blocks:
            raise PluginError(
                f"the method '{self.name}' cannot train the last {self._count} blocks of a model with {blocks}"
            )


@hookimpl
def benchspec_register() -> list[type[Frozen]]:
    return [Frozen]
