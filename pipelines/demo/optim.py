"""Training utilities: Muon for matrices, a moving average of weights, learning-rate schedules."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal (Jordan et al. 2024), for weights of two or more dimensions.

    Weights of one shape are orthogonalized in one batched product, which makes it cheap on a CPU.
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.0) -> None:
        super().__init__(list(weights), {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes[weight.shape].append(weight)
            for weights in shapes.values():
                self._update(weights, group["lr"], group["momentum"], group["decay"])

    def _update(self, weights: list[nn.Parameter], lr: float, momentum: float, decay: float) -> None:
        updates = []
        for weight in weights:
            assert weight.grad is not None
            buffer = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
            buffer.lerp_(weight.grad, 1 - momentum)
            updates.append(weight.grad.lerp(buffer, momentum).flatten(1))
        stacked = orthogonal(torch.stack(updates))
        rows, columns = stacked.shape[1:]
        scale = lr * max(1.0, rows / columns) ** 0.5
        for weight, update in zip(weights, stacked, strict=True):
            weight.mul_(1 - lr * decay).add_(update.view_as(weight).to(weight.dtype), alpha=-scale)


def orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    """Return about the nearest semi-orthogonal matrices: five quintic Newton-Schulz steps in bfloat16; (n, r, c)."""
    x: Tensor = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * (gram @ gram)) @ x
    return x.mT if tall else x


class Average:
    """An exponential moving average of a module's weights."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Add the weights after `step`; early steps are forgotten faster."""
        keep = min(self.decay, (1 + step) / (10 + step))
        for mine, theirs in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(theirs, 1 - keep)


def warm_cosine(progress: float, warm: float = 0.02, floor: float = 0.02) -> float:
    """Return the learning-rate factor at `progress` (0..1): a linear rise, then a cosine down to `floor`."""
    if progress < warm:
        return max(progress / warm, 0.02)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warm) / (1 - warm))))


def trapezoid(progress: float, warm: float = 0.01, fall: float = 0.55) -> float:
    """Return the learning-rate factor at `progress` (0..1).

    It is a linear rise, a plateau, and from `fall` on a line down to 1 %.
    """
    if progress < warm:
        return max(progress / warm, 0.02)
    return 1.0 if progress < fall else max(0.01, (1 - progress) / (1 - fall))
