"""EfficientNet-Lite0 (Tan and Le, 2020): one of a thousand classes for a picture of 224 x 224.

EfficientNet-B0 without squeeze and excitation, with ReLU6 in place of swish, and with TensorFlow's padding, which is
one pixel more at the right and at the bottom where it is odd.
"""

import torch
from torch import nn

SIDE = 224
EPSILON = 1e-3
"""Of the normalizations, as TensorFlow has it."""
STAGES = (
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
"""Blocks; of each the side of its kernel, the stride of the first, by how much it widens, and its channels."""
STEM, HEAD = 32, 1280
"""Channels before the blocks and after them."""


class PaddedConv(nn.Conv2d):
    """A convolution whose picture is as large as what it is made of, divided by the stride."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return n x channels x height x width."""
        (kernel, *_), (stride, *_) = self.kernel_size, self.stride
        beside = []
        for size in (x.shape[-1], x.shape[-2]):
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            beside += [missing // 2, missing - missing // 2]
        return super().forward(nn.functional.pad(x, beside))


class Block(nn.Module):
    """Widen, convolve each channel, narrow; what came in is added where it has the same shape."""

    def __init__(self, inside: int, kernel: int, stride: int, widening: int, outside: int) -> None:
        super().__init__()
        wide = inside * widening
        self.adds = stride == 1 and inside == outside
        self.widens = widening > 1
        if self.widens:
            self.expand_conv, self.bn0 = PaddedConv(inside, wide, 1, bias=False), _norm(wide)
        self.depthwise_conv = PaddedConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self.bn1 = _norm(wide)
        self.project_conv, self.bn2 = PaddedConv(wide, outside, 1, bias=False), _norm(outside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return n x channels x height x width."""
        y = nn.functional.relu6(self.bn0(self.expand_conv(x))) if self.widens else x
        y = nn.functional.relu6(self.bn1(self.depthwise_conv(y)))
        narrow: torch.Tensor = self.bn2(self.project_conv(y))
        return x + narrow if self.adds else narrow


class EfficientNetLite0(nn.Module):
    """The network, with as many classes as it has names for."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = PaddedConv(3, STEM, 3, 2, bias=False), _norm(STEM)
        blocks, inside = list[nn.Module](), STEM
        for times, kernel, stride, widening, outside in STAGES:
            for number in range(times):
                blocks.append(Block(inside, kernel, stride if number == 0 else 1, widening, outside))
                inside = outside
        self.blocks = nn.Sequential(*blocks)
        self.conv_head, self.bn1 = PaddedConv(inside, HEAD, 1, bias=False), _norm(HEAD)
        self.fc = nn.Linear(HEAD, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return n x classes, which `softmax` makes shares, of n x 3 x 224 x 224 in -1 to 1."""
        y = self.blocks(nn.functional.relu6(self.bn0(self.conv_stem(x))))
        y = nn.functional.relu6(self.bn1(self.conv_head(y)))
        scores: torch.Tensor = self.fc(y.mean((2, 3)))
        return scores


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON)
