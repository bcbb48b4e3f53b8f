"""The matting network: a small U-Net with a few layers of attention at its bottom."""

import numpy as np
import torch
from torch import nn

from pipelines.cutout.cues import COUNT, cues

SIDE = 256
"""Side of the square that an image is resized to; a multiple of 32."""
PLANES = 3 + COUNT
"""Colors and cues."""
WIDTHS = (40, 64, 80, 128)
"""Channels at a quarter, an eighth, a sixteenth and a thirty-second of the side."""


class ConvBlock(nn.Module):
    """Two 3x3 convolutions with a residual connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the same shape."""
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(x + self.second_norm(self.second(inner)))


class Attention(nn.Module):
    """Self-attention among all places of the image, and a feed-forward layer."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, places, width) to the same shape."""
        batch, places, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(batch, places, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        share = torch.softmax(query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5, dim=-1)
        x = x + self.out((share @ value).transpose(1, 2).reshape(batch, places, width))
        mixed: torch.Tensor = x + self.mlp(self.mlp_norm(x))
        return mixed


class MattingNetwork(nn.Module):
    """The network: (batch, planes, side, side), as `prepare` makes it, to logits (batch, outputs, side, side).

    `fine` and `hidden` are channels at half the side: of the image's details, and of the layers that merge them.
    """

    def __init__(
        self, planes: int = PLANES, outputs: int = 1, fine: int = 16, hidden: int = 24, depth: int = 1
    ) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(4), nn.Conv2d(16 * planes, a, 3, padding=1), nn.ReLU(), ConvBlock(a)
        )
        self.down1 = nn.Sequential(shrink(a, b), ConvBlock(b), ConvBlock(b))
        self.down2 = nn.Sequential(shrink(b, c), ConvBlock(c), ConvBlock(c))
        self.down3 = nn.Sequential(shrink(c, d), ConvBlock(d))
        self.place = nn.Parameter(torch.zeros(1, d, 8, 8))
        self.attention = nn.Sequential(Attention(d), Attention(d), Attention(d))
        self.up3 = nn.Conv2d(d, c, 1)
        self.mid2 = ConvBlock(c)
        self.up2 = nn.Conv2d(c, b, 1)
        self.mid1 = ConvBlock(b)
        self.up1 = nn.Conv2d(b, a, 1)
        self.mid0 = ConvBlock(a)
        self.up0 = nn.Conv2d(a, 16, 1)
        self.detail = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * planes, fine, 3, padding=1), nn.ReLU())
        between = [layer for _ in range(depth - 1) for layer in (nn.Conv2d(hidden, hidden, 3, padding=1), nn.ReLU())]
        self.head = nn.Sequential(
            nn.Conv2d(16 + fine, hidden, 3, padding=1),
            nn.ReLU(),
            *between,
            nn.Conv2d(hidden, 4 * outputs, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits; above 0 is the thing."""
        quarter = self.stem(image)
        eighth = self.down1(quarter)
        sixteenth = self.down2(eighth)
        low = self.down3(sixteenth)
        low = low + nn.functional.interpolate(self.place, size=low.shape[-2:], mode="bilinear")
        batch, width, rows, columns = low.shape
        low = self.attention(low.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(batch, width, rows, columns)
        x = self.mid2(sixteenth + grow(self.up3(low)))
        x = self.mid1(eighth + grow(self.up2(x)))
        x = self.mid0(quarter + grow(self.up1(x)))
        logits: torch.Tensor = self.head(torch.cat([grow(self.up0(x)), self.detail(image)], 1))
        return logits


class OpacityNetwork(nn.Module):
    """Opacity of hair and of what one sees through, as a linear function of the color around each pixel.

    So has a guided filter it (He and Sun, 2010): applied to the colors of a larger image it shows strands that a small
    one lost. The network starts from the line between the colors inside and outside of a first matte nearby.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = MattingNetwork(planes=PLANES + 3, outputs=6, fine=48, hidden=64, depth=2)

    def forward(self, planes: torch.Tensor, matte: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (share, lines) for planes and matte (batch, ..., side, side).

        `share` are logits (batch, 1, side, side) of where it answers; `lines` (batch, 4, side, side) three slopes and
        an offset, for colors from 0 to 1.
        """
        colors = _colors(planes)
        slopes, offset, contrast = color_line(colors, matte)
        along = (slopes * colors).sum(1, keepdim=True) + offset
        answer = self.body(torch.cat([planes, 2 * matte - 1, along.clamp(-1, 2), contrast], 1)).float()
        own, base, share, trust = answer[:, :3] * 4, answer[:, 3:4], answer[:, 4:5], answer[:, 5:]
        offset = trust * (offset - 0.5) + base + 0.5 - own.sum(1, keepdim=True) / 2
        return share, torch.cat([own + trust * slopes, offset], 1)


def color_line(colors: torch.Tensor, matte: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (slopes, offset, contrast): `slopes` times a color plus `offset` is 0 outside of `matte` nearby, 1 inside.

    `contrast` is the distance of both colors. Nearby is about 28 pixels; where there is nothing inside or outside
    nearby, that of the whole image counts.
    """
    ends = []
    for weight in (matte**2, (1 - matte) ** 2):
        weighed = torch.cat([colors * weight, weight], 1)
        whole = weighed.mean((2, 3), keepdim=True)
        near = nn.functional.avg_pool2d(weighed, 4)
        near = nn.functional.avg_pool2d(near, 7, 1, 3, count_include_pad=False) + 0.02 * whole
        near = nn.functional.interpolate(near, scale_factor=4.0, mode="bilinear")
        ends.append(near[:, :3] / (near[:, 3:] + 1e-6))
    way = ends[0] - ends[1]
    distance = (way**2).sum(1, keepdim=True)
    slopes = way / (distance + 0.005)
    return slopes, -(slopes * ends[1]).sum(1, keepdim=True), distance.sqrt()


class SecondLook(nn.Module):
    """The opacity network as it is used: it answers for good when it sees what it said itself in place of the matte."""

    def __init__(self, network: OpacityNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, planes: torch.Tensor, matte: torch.Tensor) -> torch.Tensor:
        """Map planes and the first network's matte (batch, ..., side, side) to (batch, 5, side, side).

        That is where it answers, 0 to 1, and the four terms of the lines.
        """
        share, lines = self.network(planes, mixed(planes, matte, *self.network(planes, matte)))
        return torch.cat([torch.sigmoid(share), lines], 1)


def mixed(planes: torch.Tensor, matte: torch.Tensor, share: torch.Tensor, lines: torch.Tensor) -> torch.Tensor:
    """Return `matte` with the opacity of `lines` where `share` (logits) says so, at the side of all of them."""
    opacity = apply_lines(lines, _colors(planes)).clamp(0, 1)
    return matte + torch.sigmoid(share) * (opacity - matte)


def _colors(planes: torch.Tensor) -> torch.Tensor:
    """Return the colors, 0 to 1, that `prepare` has normalized."""
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return planes[:, :3] * deviation + mean


def apply_lines(lines: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
    """Return the opacity (batch, 1, rows, columns), not yet clipped, of `lines` (batch, 4, ...) and larger `colors`.

    `colors` are (batch, 3, rows, columns), 0 to 1. `pipelines.cutout.refine.see_through` does the same in numpy.
    """
    large = nn.functional.interpolate(lines, size=colors.shape[-2:], mode="bilinear")
    return (large[:, :3] * colors).sum(1, keepdim=True) + large[:, 3:]


def prepare(images: torch.Tensor) -> torch.Tensor:
    """Return the network's input for uint8 (batch, side, side, 3).

    Colors are normalized as by rembg's `BaseSession.normalize`: divided by the brightest value of each image, then by
    ImageNet's mean and deviation. The cues follow.
    """
    values = images.permute(0, 3, 1, 2).float()
    values = values / values.amax((1, 2, 3), keepdim=True).clamp_min(1e-6)
    mean, deviation = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(DEVIATION).view(1, 3, 1, 1)
    hints = torch.from_numpy(np.stack([cues(image) for image in images.numpy()]))
    return torch.cat([(values - mean) / deviation, hints], 1)


MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def shrink(width: int, wider: int) -> nn.Sequential:
    """Return layers that halve the side and map `width` channels to `wider`."""
    return nn.Sequential(nn.Conv2d(width, wider, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(wider), nn.ReLU())


def grow(x: torch.Tensor) -> torch.Tensor:
    """Return (batch, channels, rows, columns) at twice the rows and columns."""
    return nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
