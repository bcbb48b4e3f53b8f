"""The close look: a network without attention that goes over the second network's opacity at twice its side."""

import torch
from torch import nn

from pipelines.matting.network import SIDE, ConvBlock, apply_lines, grow, shrink

CLOSE_SIDE = 2 * SIDE
"""Side of the square that it sees; while it learns, that of a piece: any multiple of 8."""
GRID = 4
"""Pixels on a side of a cell of the grid on which colors inside and outside are found."""
WINDOWS = ((4, 13), (2, 9), (1, 5))
"""How far the grid is shrunk, and how wide the window on it then is, for colors far off, less far and nearby."""
FAR, NEAR = (17, WINDOWS[1]), (9, WINDOWS[2])
"""Of the most and the least opaque pixels around: how many cells the largest opacity is sought in, and the window."""
POWER, ROUNDS = 20, 3
"""The weight of a pixel is its share of that opacity to this power; so often the opacity is found anew with it."""
PAIRS = len(WINDOWS) + 2
WIDTHS = (32, 64, 96)
"""Channels at a half, a quarter and an eighth of the side."""
HINTS = PAIRS + 12
"""Planes beside the lines: the contrast of each pair of colors, and the second and the fourth pair themselves."""
TERMS = 3 + 1 + 1 + PAIRS
"""What the opacity is a sum of: colors, one, the second network's opacity, and the place on each line."""


class CloseLook(nn.Module):
    """Opacity at the side of the colors, as a linear function of the color of each pixel.

    Strands are one or two pixels wide here, and less than one where the second network looks. What it knows of places
    farther off is what the second network says, and the colors inside and outside that follow from it. It begins with
    that opacity.
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c = WIDTHS
        planes = 4 * (3 + 1 + PAIRS) + 2 + HINTS
        self.stem = nn.Sequential(nn.Conv2d(planes, a, 3, padding=1), nn.ReLU(), ConvBlock(a))
        self.down1 = nn.Sequential(shrink(a, b), ConvBlock(b), ConvBlock(b))
        self.down2 = nn.Sequential(shrink(b, c), ConvBlock(c), ConvBlock(c), ConvBlock(c))
        self.up2 = nn.Conv2d(c, b, 1)
        self.mid1 = ConvBlock(b)
        self.up1 = nn.Conv2d(b, a, 1)
        self.mid0 = ConvBlock(a)
        self.head = nn.Conv2d(a, 4 * (1 + TERMS), 3, padding=1)
        for values in self.head.parameters():
            nn.init.zeros_(values)

    def forward(
        self, colors: torch.Tensor, opacity: torch.Tensor, half: torch.Tensor, lines: torch.Tensor, hints: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (share, weights): logits (batch, 1, side, side) of where it answers, and (batch, TERMS, side, side).

        `colors` (batch, 3, side, side) and the second network's `opacity` (batch, 1, side, side) are from 0 to 1. So
        are its share and the first network's matte: `half` (batch, 2, side / 2, side / 2). `lines` and `hints` are
        what `lines_between` returns. `opacity_of` and `answer_of` make something of the weights.
        """
        lines = nn.functional.interpolate(lines, scale_factor=float(GRID), mode="bilinear")
        along = [one.clamp(-1, 2) for one in places(colors, lines)]
        fine = nn.functional.pixel_unshuffle(torch.cat([colors * 2 - 1, opacity * 2 - 1, *along], 1), 2)
        first = self.stem(torch.cat([fine, half * 2 - 1, grow(hints)], 1))
        second = self.down1(first)
        x = self.mid1(second + grow(self.up2(self.down2(second))))
        x = self.mid0(first + grow(self.up1(x)))
        answer = nn.functional.pixel_shuffle(self.head(x), 2).float()
        return answer[:, :1], answer[:, 1:]


class CloseAnswer(nn.Module):
    """The close look as it is used: on whole images, and on all that the second network answers."""

    def __init__(self, network: CloseLook) -> None:
        super().__init__()
        self.network = network

    def forward(self, colors: torch.Tensor, answer: torch.Tensor, matte: torch.Tensor) -> torch.Tensor:
        """Return (batch, 5, side, side): where it answers, 0 to 1, three slopes and an offset, as `SecondLook` does.

        `colors` (batch, 3, side, side) are from 0 to 1, and the lines of the second network's `answer` (batch, 5, side
        / 2, side / 2) are for such; `matte` is the first network's, of the same side.
        """
        opacity = apply_lines(answer[:, 1:], colors).clamp(0, 1)
        lines, hints = lines_between(ends_of(colors, opacity))
        share, weights = self.network(colors, opacity, torch.cat([answer[:, :1], matte], 1), lines, hints)
        return torch.cat([torch.sigmoid(share), answer_of(weights, opacity, lines)], 1)


def ends_of(colors: torch.Tensor, opacity: torch.Tensor) -> torch.Tensor:
    """Return pairs of colors inside and outside around each cell: (batch, 6 x PAIRS, side / GRID, side / GRID).

    `colors` (batch, 3, side, side) and `opacity` (batch, 1, side, side) are from 0 to 1. The first three pairs are what
    is surely inside and outside, for each window; where it has nothing that is sure, the wider one counts, and the
    whole image in the end. The fourth and fifth are of the most and the least opaque pixels around, however opaque they
    are: hair that is taken for a faint haze is found to be hair so, by doing it again with what it gives.
    """
    small, sure = nn.functional.avg_pool2d(colors, GRID), nn.functional.avg_pool2d(opacity, GRID)
    weighed = _weighed(small, *((sign * (2 * sure - 1)).clamp(0, 1) ** 2 for sign in (1, -1)))
    found, wide = [], weighed.mean((2, 3), keepdim=True)
    for window in WINDOWS:
        wide = _windowed(weighed, *window) + 0.02 * wide
        found.append(_ends(wide))
    far = _most_and_least(colors, opacity, *FAR)
    for _ in range(ROUNDS - 1):
        far = _most_and_least(colors, _along(far, colors), *FAR)
    return torch.cat([*found, far, _most_and_least(colors, _along(far, colors), *NEAR)], 1)


def _along(pair: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
    line = nn.functional.interpolate(_line(pair), scale_factor=float(GRID), mode="bilinear")
    return places(colors, line)[0].clamp(0, 1)


def _most_and_least(colors: torch.Tensor, opacity: torch.Tensor, reach: int, window: tuple[int, int]) -> torch.Tensor:
    most = nn.functional.max_pool2d(opacity, GRID)
    most = nn.functional.max_pool2d(most, (reach, 1), 1, (reach // 2, 0))
    most = nn.functional.max_pool2d(most, (1, reach), 1, (0, reach // 2))
    relative = opacity / (nn.functional.interpolate(most, scale_factor=float(GRID), mode="nearest") + 0.02)
    weighed = nn.functional.avg_pool2d(_weighed(colors, relative**POWER, (1 - relative) ** POWER), GRID)
    return _ends(_windowed(weighed, *window) + 0.02**2 * weighed.mean((2, 3), keepdim=True))


def _weighed(colors: torch.Tensor, inside: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
    """Return colors times each weight, and the weight: (batch, 8, ...)."""
    return torch.cat([colors * inside, inside, colors * outside, outside], 1)


def _windowed(weighed: torch.Tensor, shrunk: int, window: int) -> torch.Tensor:
    near = nn.functional.avg_pool2d(weighed, shrunk)
    near = nn.functional.avg_pool2d(near, (window, 1), 1, (window // 2, 0), count_include_pad=False)
    near = nn.functional.avg_pool2d(near, (1, window), 1, (0, window // 2), count_include_pad=False)
    return nn.functional.interpolate(near, scale_factor=float(shrunk), mode="bilinear")


def _ends(weighed: torch.Tensor) -> torch.Tensor:
    return torch.cat([weighed[:, at : at + 3] / (weighed[:, at + 3 : at + 4] + 1e-6) for at in (0, 4)], 1)


def _line(pair: torch.Tensor) -> torch.Tensor:
    """Return three slopes and an offset: 0 at the color outside, 1 at that inside."""
    way = pair[:, :3] - pair[:, 3:]
    slopes = way / ((way**2).sum(1, keepdim=True) + 0.005)
    return torch.cat([slopes, -(slopes * pair[:, 3:]).sum(1, keepdim=True)], 1)


def lines_between(ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (lines, hints) of what `ends_of` returns.

    `lines` (batch, 4 x PAIRS, cells, cells) are three slopes and an offset for each pair of colors: 0 at that outside,
    1 at that inside. `hints` are (batch, HINTS, cells, cells).
    """
    pairs = torch.split(ends, 6, 1)
    contrasts = [((pair[:, :3] - pair[:, 3:]) ** 2).sum(1, keepdim=True).sqrt() for pair in pairs]
    return torch.cat([_line(pair) for pair in pairs], 1), torch.cat([*contrasts, pairs[1], pairs[3]], 1)


def places(colors: torch.Tensor, lines: torch.Tensor) -> list[torch.Tensor]:
    """Return where `colors` are on each line: 0 outside, 1 inside, each (batch, 1, side, side)."""
    return [(line[:, :3] * colors).sum(1, keepdim=True) + line[:, 3:] for line in torch.split(lines, 4, 1)]


def opacity_of(weights: torch.Tensor, colors: torch.Tensor, opacity: torch.Tensor, lines: torch.Tensor) -> torch.Tensor:
    """Return the opacity (batch, 1, side, side), not yet clipped, that the weights of `CloseLook` stand for."""
    large = nn.functional.interpolate(lines, scale_factor=float(GRID), mode="bilinear")
    along = [one - 0.5 for one in places(colors, large)]
    terms = torch.cat([4 * (colors - 0.5), torch.ones_like(opacity), opacity, *along], 1)
    return (weights * terms).sum(1, keepdim=True) + opacity


def answer_of(weights: torch.Tensor, opacity: torch.Tensor, lines: torch.Tensor) -> torch.Tensor:
    """Return the same as slopes and an offset for each pixel: (batch, 4, side, side)."""
    large = nn.functional.interpolate(lines, scale_factor=float(GRID), mode="bilinear")
    slopes = 4 * weights[:, :3]
    offset = weights[:, 3:4] + (1 + weights[:, 4:5]) * opacity - slopes.sum(1, keepdim=True) / 2
    for weight, line in zip(torch.split(weights[:, 5:], 1, 1), torch.split(large, 4, 1), strict=True):
        slopes = slopes + weight * line[:, :3]
        offset = offset + weight * (line[:, 3:] - 0.5)
    return torch.cat([slopes, offset], 1)
