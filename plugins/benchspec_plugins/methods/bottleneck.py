"""A linear layer with a bottleneck adapter behind it, as modules of torch."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.functional import gelu

#: standard deviation of the first weights: small, so that an adapter starts as nearly the identity
DEVIATION = 0.01


class Adapted(nn.Module):
    """A layer whose output passes an adapter: down to a few values, through GELU, up again, and added to what came."""

    def __init__(self, layer: Any, width: int, size: int):
        super().__init__()
        self.base_layer = layer
        self.down = nn.Linear(width, size)
        self.up = nn.Linear(size, width)
        for linear in (self.down, self.up):
            # Drawn on the CPU, wherever the model is, so that they are the same on every backend.
            nn.init.trunc_normal_(linear.weight, std=DEVIATION, a=-2 * DEVIATION, b=2 * DEVIATION)
            nn.init.zeros_(linear.bias)
            linear.to(layer.weight.device)

    def forward(self, *inputs: Any) -> Any:
        output = self.base_layer(*inputs)
        return output + self.up(gelu(self.down(output)))
