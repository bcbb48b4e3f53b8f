"""Tiles: each pixel once, no tile above its size, and what the network makes of the whole picture."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.memory.weight_loader import WeightLoader
from pipelines.upscale.checkpoint import load_net
from pipelines.upscale.nets import Net
from pipelines.upscale.tiles import OVERLAP, TILE, enlarge, tiles_of
from tests.support.checkpoints.tiny_upscale import compact, rrdb, save


@pytest.mark.parametrize("size", [(1, 1), (512, 512), (513, 30), (1025, 1600), (2000, 511)])
def test_every_pixel_is_of_one_tile(size: tuple[int, int]) -> None:
    counted = np.zeros(size, int)
    for tile in tiles_of(*size):
        rows, columns = tile.rows, tile.columns
        counted[rows.begin : rows.end, columns.begin : columns.end] += 1
        for window, length in zip((rows, columns), size, strict=True):
            assert window.right - window.left <= TILE + 2 * OVERLAP
            assert (max(0, window.begin - OVERLAP), min(length, window.end + OVERLAP)) == (window.left, window.right)
    assert (counted == 1).all()


def assembled(net: Net, picture: torch.Tensor, scale: int) -> np.ndarray:
    shares: list[float] = []
    made = enlarge(net, picture, scale, shares.append)
    assert len(tiles_of(*picture.shape[1:])) == len(set(shares))
    assert (sorted(shares), 1.0) == (shares, shares[-1])
    return made.numpy()


def whole(net: Net, picture: torch.Tensor, scale: int) -> np.ndarray:
    with torch.inference_mode():
        made = net(picture[None].float() / 255)
    if scale < net.scale:
        made = torch.nn.functional.avg_pool2d(made, net.scale // scale)
    return (made[0].clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def picture(height: int, width: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("kind", "scale"), [("compact", 4), ("compact", 2), ("rrdb", 4), ("folded", 2)])
def test_one_tile_is_the_network_of_the_picture(tmp_path: Path, kind: str, scale: int) -> None:
    tensors = {"compact": compact(), "rrdb": rrdb(), "folded": rrdb(fold=2)}[kind]
    net = load_net(save(tmp_path, tensors), WeightLoader("cpu"), torch.float32)
    seen = picture(48, 36)
    assert (assembled(net, seen, scale) == whole(net, seen, scale)).all()


@pytest.mark.long
def test_several_tiles_are_the_network_of_the_picture(tmp_path: Path) -> None:
    """The tiny network sees four pixels far, less than the overlap: only the last bits of sums differ."""
    net = load_net(save(tmp_path, compact(scale=2)), WeightLoader("cpu"), torch.float32)
    seen = picture(530, 1040)
    assert 6 == len(tiles_of(530, 1040))
    difference = np.abs(assembled(net, seen, 2).astype(int) - whole(net, seen, 2))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-4


def test_odd_sides_are_folded(tmp_path: Path) -> None:
    net = load_net(save(tmp_path, rrdb(fold=2)), WeightLoader("cpu"), torch.float32)
    made = assembled(net, picture(7, 5), 2)
    assert (3, 14, 10) == made.shape
    assert made.std() > 1


def test_the_network_sees_no_more_than_a_tile(tmp_path: Path) -> None:
    """So its memory does not grow with the picture."""
    net, seen = load_net(save(tmp_path, compact(scale=2)), WeightLoader("cpu"), torch.float32), []
    net.register_forward_pre_hook(lambda module, given: seen.append(tuple(given[0].shape)))
    enlarge(net, picture(600, 1300), 2, lambda share: None)
    assert 6 == len(seen)
    assert max(max(shape[2:]) for shape in seen) == TILE + 2 * OVERLAP


def test_it_stops_between_tiles(tmp_path: Path) -> None:
    net, seen = load_net(save(tmp_path, compact(scale=2)), WeightLoader("cpu"), torch.float32), []
    net.register_forward_pre_hook(lambda module, given: seen.append(given))

    def report(share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        enlarge(net, picture(20, 1300), 2, report)
    assert 1 == len(seen)
