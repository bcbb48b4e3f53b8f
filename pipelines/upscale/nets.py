"""The two networks of Real-ESRGAN (Wang et al., 2021), by the names of their published tensors.

`RRDBNet` (ESRGAN, Wang et al., 2018, https://arxiv.org/abs/1809.00219) makes x2plus and x4plus, `SRVGGNetCompact`
(https://arxiv.org/abs/2107.10833) the small general-x4v3 and animevideov3. Both take n x 3 x height x width in 0 to 1
and return `scale` times the height and width, about 0 to 1. Convolutions are 3 x 3.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

GROWTH_CONVS = 5
"""Convolutions of a dense block; each sees what all before it made."""
RESIDUE = 0.2
"""Share of a block's result that is added to what went in."""


class DenseBlock(nn.Module):
    """Five convolutions, each of all that the ones before made."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for number in range(GROWTH_CONVS - 1):
            setattr(self, f"conv{number + 1}", _conv(features + number * growth, growth))
        self.conv5 = _conv(features + (GROWTH_CONVS - 1) * growth, features)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        seen = [x]
        for number in range(1, GROWTH_CONVS):
            seen.append(_activated(getattr(self, f"conv{number}")(torch.cat(seen, 1))))
        return x + RESIDUE * cast(Tensor, self.conv5(torch.cat(seen, 1)))


class ResidualInResidual(nn.Module):
    """Three dense blocks, and what went in."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(features, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        return x + RESIDUE * cast(Tensor, self.rdb3(self.rdb2(self.rdb1(x))))


class RRDBNet(nn.Module):
    """Residual-in-residual dense blocks, then two doublings; the input is folded by `fold` before, so x2plus has 2."""

    def __init__(self, *, blocks: int, features: int, growth: int, fold: int) -> None:
        super().__init__()
        self.fold, self.scale = fold, 4 // fold
        self.conv_first = _conv(3 * fold**2, features)
        self.body = nn.Sequential(*(ResidualInResidual(features, growth) for _ in range(blocks)))
        self.conv_body, self.conv_up1, self.conv_up2, self.conv_hr = (_conv(features, features) for _ in range(4))
        self.conv_last = _conv(features, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return the picture `scale` times as large; height and width must be multiples of `fold`."""
        first = self.conv_first(functional.pixel_unshuffle(x, self.fold))
        y = first + self.conv_body(self.body(first))
        y = _activated(self.conv_up1(_doubled(y)))
        y = _activated(self.conv_up2(_doubled(y)))
        return cast(Tensor, self.conv_last(_activated(self.conv_hr(y))))


class SRVGGNetCompact(nn.Module):
    """A plain chain of convolutions that adds detail to the picture of repeated pixels."""

    fold = 1

    def __init__(self, *, convs: int, features: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        body: list[nn.Module] = [_conv(3, features), nn.PReLU(features)]
        for _ in range(convs):
            body += [_conv(features, features), nn.PReLU(features)]
        self.body = nn.Sequential(*body, _conv(features, 3 * scale**2))

    def forward(self, x: Tensor) -> Tensor:
        """Return the picture `scale` times as large."""
        detail = functional.pixel_shuffle(self.body(x), self.scale)
        return detail + functional.interpolate(x, scale_factor=self.scale, mode="nearest")


Net = RRDBNet | SRVGGNetCompact


def _conv(channels: int, made: int) -> nn.Conv2d:
    return nn.Conv2d(channels, made, 3, padding=1)


def _activated(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")
