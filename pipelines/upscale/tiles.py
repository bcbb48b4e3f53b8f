"""Enlarging a picture tile by tile, so that the network's memory does not grow with the picture.

A tile is computed with `OVERLAP` more pixels on each side, of which nothing is kept: at its border the network sees
what is there. A picture of one tile is what the network makes of it, to the last bit. In several tiles a pixel near the
border of one may differ where the network sees further than the overlap: compact ones see 18 and 34 pixels far, those
of RRDB further.
"""

from collections.abc import Callable, Iterator

import msgspec
import torch
from torch import Tensor
from torch.nn import functional

from pipelines.upscale.nets import Net

TILE, OVERLAP = 512, 16
"""Pixels of the picture, both even, since x2plus folds two by two."""
Report = Callable[[float], None]
"""Called with the share that is done. It may raise, to stop."""


class Window(msgspec.Struct, frozen=True):
    """Pixels from `begin` to `end` of a line that are kept, of those from `left` to `right` that are computed."""

    begin: int
    end: int
    left: int
    right: int


class Tile(msgspec.Struct, frozen=True):
    """A rectangle of a picture."""

    rows: Window
    columns: Window


def tiles_of(height: int, width: int) -> list[Tile]:
    """Return the tiles of a picture, row after row; every pixel is kept of one of them."""
    return [Tile(rows, columns) for rows in _windows(height) for columns in _windows(width)]


@torch.inference_mode()
def enlarge(net: Net, picture: Tensor, scale: int, report: Report) -> Tensor:
    """Return a picture `scale` times as large, on the network's device.

    Both are uint8, 3 x height x width. `scale` is the network's, or a divisor of it: then its pixels are averaged.
    `report` is called after each tile with the share that is done.
    """
    height, width = picture.shape[1:]
    made = torch.empty(3, height * scale, width * scale, dtype=torch.uint8, device=next(net.parameters()).device)
    tiles = tiles_of(height, width)
    for number, tile in enumerate(tiles, 1):
        rows, columns = (slice(window.begin * scale, window.end * scale) for window in (tile.rows, tile.columns))
        made[:, rows, columns] = (_enlarge_tile(net, picture, tile, scale) * 255).round().to(torch.uint8)
        report(number / len(tiles))
    return made


def _enlarge_tile(net: Net, picture: Tensor, tile: Tile, scale: int) -> Tensor:
    """Return the kept part of a tile in 0 to 1."""
    rows, columns = tile.rows, tile.columns
    weight = next(net.parameters())
    seen = picture[None, :, rows.left : rows.right, columns.left : columns.right].to(weight.device)
    made = net(_foldable(seen.to(weight.dtype) / 255, net.fold))
    if scale != net.scale:
        made = functional.avg_pool2d(made, net.scale // scale)
    top, left = (rows.begin - rows.left) * scale, (columns.begin - columns.left) * scale
    height, width = (rows.end - rows.begin) * scale, (columns.end - columns.begin) * scale
    kept: Tensor = made[0, :, top : top + height, left : left + width].float().clamp(0, 1)
    return kept


def _windows(length: int) -> Iterator[Window]:
    for begin in range(0, length, TILE):
        end = min(begin + TILE, length)
        yield Window(begin, end, max(0, begin - OVERLAP), min(length, end + OVERLAP))


def _foldable(seen: Tensor, fold: int) -> Tensor:
    """Return the picture with its last row and column repeated where the network needs even sides."""
    height, width = seen.shape[2:]
    return functional.pad(seen, (0, -width % fold, 0, -height % fold), mode="replicate") if fold > 1 else seen
