"""Training of the close look on a stock: `python -m pipelines.matting.train_close --stock STOCK --out RUN`.

The second network is the committed one; it is asked once about each composite, and does not learn.
"""

import argparse
import math
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from torch import nn

from pipelines.matting.close_look import CLOSE_SIDE, GRID, CloseLook, ends_of, lines_between, opacity_of
from pipelines.matting.export import OPACITY_MODEL
from pipelines.matting.network import apply_lines, prepare
from pipelines.matting.stock import KINDS, MARGIN, spread
from pipelines.matting.train import follow

PEAK = 2e-3
SHARES = (0.12, 0.63, 0.25)
"""Of opaque things, hair and clear things in a batch."""
SIDE, COUNT, WIDE_SIDE, WIDE_COUNT = 192, 16, 320, 5
"""Of the pieces in a batch, and of those in the last steps."""
WIDE_FROM = 0.9
AVERAGE, AVERAGE_FIRST = 0.996, 0.985
"""How much of itself the average keeps at most, after 1500 steps and before."""


@dataclass(frozen=True, slots=True)
class Known:
    """A composite of `CLOSE_SIDE` and what both networks say of it; all uint8.

    `planes` is (5, side, side): colors, opacity, and that of the second network. `half` is (2, side / 2, side / 2): its
    share, and the first one's matte. `ends` is what `ends_of` returns, in half precision.
    """

    planes: torch.Tensor
    half: torch.Tensor
    ends: torch.Tensor


@dataclass(frozen=True, slots=True)
class ClosePieces:
    """What `CloseLook` sees, the opacity that it should find (0 to 1), and the numbers of their kinds."""

    colors: torch.Tensor
    begun: torch.Tensor
    half: torch.Tensor
    lines: torch.Tensor
    hints: torch.Tensor
    opacity: torch.Tensor
    kinds: torch.Tensor


class CloseStock:
    """The chunks of a folder with composites of `CLOSE_SIDE`; it grows while training goes on."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, np.random.default_rng(seed)
        self.second = onnxruntime.InferenceSession(str(OPACITY_MODEL), providers=["CPUExecutionProvider"])
        self.known: set[Path] = set()
        self.samples: list[list[Known]] = [[] for _ in KINDS]

    def grow(self, most: int) -> None:
        """Read up to `most` new chunks."""
        new = [file for file in sorted(self.folder.glob(f"{CLOSE_SIDE}-*.npz")) if file not in self.known]
        for file in [file for file in new if ".part" not in file.name][:most]:
            self.known.add(file)
            with np.load(file) as chunk:
                rows = zip(*(chunk[name] for name in ("image", "low", "matte", "first", "kind")), strict=True)
                for image, low, matte, first, kind in rows:
                    self.samples[int(kind)].append(self._asked(image, low, matte, first))

    def _asked(self, image: np.ndarray, low: np.ndarray, matte: np.ndarray, first: np.ndarray) -> Known:
        planes = prepare(torch.from_numpy(low[None]))
        seen = {"planes": planes.numpy(), "matte": first[None, None].astype(np.float32) / 255}
        answer = torch.from_numpy(self.second.run(None, seen)[0])
        answer[:, 1:4] *= 255 / max(1, int(low.max()))
        colors = torch.from_numpy(image).permute(2, 0, 1)
        begun = apply_lines(answer[:, 1:], colors[None].float() / 255).clamp(0, 1)[0]
        found, share = ((values * 255 + 0.5).to(torch.uint8) for values in (begun, answer[0, :1]))
        ends = ends_of(colors[None].float() / 255, begun[None])
        return Known(
            torch.cat([colors, torch.from_numpy(matte)[None], found]),
            torch.cat([share, torch.from_numpy(first)[None]]),
            ends[0].half(),
        )

    def batch(self, count: int, side: int) -> ClosePieces:
        """Return `count` pieces of `side`, a multiple of 8; colors change places, and are turned about or paled."""
        kinds = [int(kind) for kind in self.rng.choice(len(KINDS), count, p=SHARES)]
        samples = [self.samples[kind][int(self.rng.integers(len(self.samples[kind])))] for kind in kinds]
        corners = [self._corner(sample, kind, side) for sample, kind in zip(samples, kinds, strict=True)]
        pieces, halves, ends = [], [], []
        for sample, (y, x) in zip(samples, corners, strict=True):
            order = torch.from_numpy(self.rng.permutation(3))
            slope, offset = self._recolored()
            piece = _cut(sample.planes, y, x, side).float() / 255
            piece[:3] = piece[order] * slope + offset
            end = _cut(sample.ends, y // GRID, x // GRID, side // GRID).float()
            ends.append(end[torch.cat([order + first for first in range(0, len(end), 3)])] * slope + offset)
            pieces.append(piece)
            halves.append(_cut(sample.half, y // 2, x // 2, side // 2).float() / 255)
        turned = [axis for axis in (2, 3) if self.rng.random() < 0.5]
        seen = [torch.stack(some).flip(turned) for some in (pieces, halves, ends)]
        if self.rng.random() < 0.5:
            seen = [one.transpose(2, 3).contiguous() for one in seen]
        piece, half, end = seen
        return ClosePieces(
            piece[:, :3], piece[:, 4:], half, *lines_between(end), opacity=piece[:, 3:4], kinds=torch.tensor(kinds)
        )

    def _recolored(self) -> tuple[float, float]:
        """Return what colors are multiplied with, and what is added then."""
        slope, offset = (-1.0, 1.0) if self.rng.random() < 0.15 else (1.0, 0.0)
        if self.rng.random() < 0.4:
            pale = float(self.rng.uniform(0.6, 1.0))
            light = (1 - pale) * float(self.rng.uniform(0, 1)) * (self.rng.random() < 0.5)
            slope, offset = slope * pale, offset * pale + light
        return slope, offset

    def _corner(self, sample: Known, kind: int, side: int) -> tuple[int, int]:
        """Return the upper left of a piece, a multiple of 8: mostly around partial opacity, or on the thing."""
        room = (CLOSE_SIDE - side) // 8
        y, x = (int(value) for value in self.rng.integers(0, room + 1, 2))
        matte = sample.planes[3, ::8, ::8]
        where = ((matte > 1) & (matte < 254), matte > 1)[kind != KINDS.index("hair")]
        rows, columns = torch.nonzero(where, as_tuple=True)
        if len(rows) and self.rng.random() < 0.92:
            pick = int(self.rng.integers(len(rows)))
            y, x = (min(room, max(0, int(at[pick]) - int(self.rng.integers(side // 8)))) for at in (rows, columns))
        return 8 * y, 8 * x


def _cut(planes: torch.Tensor, y: int, x: int, side: int) -> torch.Tensor:
    return planes[:, y : y + side, x : x + side]


def ask(network: CloseLook, batch: ClosePieces) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the network says of a batch."""
    share, weights = network(batch.colors, batch.begun, batch.half, batch.lines, batch.hints)
    return share, weights


def loss_of(share: torch.Tensor, weights: torch.Tensor, batch: ClosePieces) -> torch.Tensor:
    """Return the error of partial opacity, each piece for as much as the others, with little of two other parts.

    They are the error elsewhere, mostly in the zone, and the cross-entropy of the share.
    """
    opacity = opacity_of(weights, batch.colors, batch.begun, batch.lines)
    clipped = opacity.clamp(0, 1)
    error = (clipped + 0.1 * (opacity - clipped) - batch.opacity).abs()
    zone = zone_of(batch.opacity, batch.kinds)
    large = nn.functional.interpolate(zone, scale_factor=2.0)
    partial = ((batch.opacity > 1.5 / 255) & (batch.opacity < 253.5 / 255)).float() * large
    within = ((error * partial).sum((1, 2, 3)) / (partial.sum((1, 2, 3)) + 300)).mean()
    rest = (error * (0.06 + 0.5 * large) * (1 - partial)).mean()
    gate = nn.functional.binary_cross_entropy_with_logits(nn.functional.avg_pool2d(share, 2), zone)
    return within + rest + 0.15 * gate


def zone_of(opacity: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """Return (batch, 1, side / 2, side / 2) of 0 and 1: what `stock.zone` says, at half the side."""
    partial, covered = (opacity > 1.5 / 255) & (opacity < 253.5 / 255), opacity > 1.5 / 255
    kinds = kinds.view(-1, 1, 1, 1)
    where = torch.where(kinds == KINDS.index("hair"), partial, covered) & (kinds > 0)
    return spread(nn.functional.max_pool2d(where.float(), 2), 2 * MARGIN + 1)


def fit(stock: CloseStock, out: Path, seconds: float, resume: Path | None) -> None:
    """Train for `seconds`, and save the averaged weights as `out`/close_look.pt every three minutes."""
    network = CloseLook()
    if resume:
        network.load_state_dict(torch.load(resume, weights_only=True))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    started, step, saved, read_at, shown = time.monotonic(), 0, 0.0, 0.0, 0.0
    while (passed := (time.monotonic() - started) / seconds) < 1:
        if time.monotonic() - read_at > 40:
            stock.grow(1 if read_at else 8)
            read_at = time.monotonic()
        rate = PEAK * min(1, (step + 1) / 40) * max(0.003, 0.5 + 0.5 * math.cos(math.pi * passed))
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = stock.batch(*((WIDE_COUNT, WIDE_SIDE) if passed > WIDE_FROM else (COUNT, SIDE)))
        with torch.autocast("cpu", torch.bfloat16):
            said = ask(network, batch)
        loss = loss_of(*said, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        follow(average, network, step, AVERAGE if step > 1500 else AVERAGE_FIRST)
        shown = 0.97 * shown + 0.03 * loss.item() if shown else loss.item()
        if time.monotonic() - saved > 180:
            saved = time.monotonic()
            torch.save(average.state_dict(), out / "close_look.pt")
            print(f"{passed:.3f} step {step} loss {shown:.4f}", flush=True)
    torch.save(average.state_dict(), out / "close_look.pt")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=110)
    parser.add_argument("--resume", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    fit(CloseStock(options.stock, 6), options.out, options.minutes * 60, options.resume)


if __name__ == "__main__":
    main()
