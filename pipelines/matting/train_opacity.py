"""Training of the opacity network on a stock: `python -m pipelines.matting.train_opacity --stock STOCK --out RUN`."""

import argparse
import math
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipelines.matting import composite
from pipelines.matting.export import recover
from pipelines.matting.network import DEVIATION, MEAN, MattingNetwork, OpacityNetwork, apply_lines, mixed, prepare
from pipelines.matting.stock import KINDS, Sample, read
from pipelines.matting.train import follow

PEAK, SLOW = 1.6e-3, 0.4
"""Largest learning rate, and the share of it for layers that the first network has already."""
NEW = ("stem", "detail", "mid0", "up0", "head")
"""Layers that learn at the whole rate."""
SHARES = (0.3, 0.38, 0.32)
"""Of opaque things, hair and clear things in a batch."""
SIDE, COUNT, WHOLE_COUNT = 128, 16, 5
"""Of the small images in a batch; the last steps see whole composites of twice the side, `WHOLE_COUNT` at a time."""
WHOLE_FROM = 0.85
AVERAGE = 0.995
AGAIN = 0.6
"""Share of the batches in which the network sees what it said itself, instead of the first network's matte."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """`planes` and `matte` as the network sees them, and colors, opacity and zone (0 to 1) at twice the side."""

    planes: torch.Tensor
    matte: torch.Tensor
    colors: torch.Tensor
    opacity: torch.Tensor
    zone: torch.Tensor


class Stock:
    """The chunks of a folder; it grows while training goes on, and every batch mirrors and recolors."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, np.random.default_rng(seed)
        self.known: set[Path] = set()
        self.samples: list[list[Sample]] = [[] for _ in KINDS]

    def grow(self, most: int) -> None:
        """Read up to `most` new chunks."""
        new = [
            file for file in sorted(self.folder.glob("*.npz")) if file not in self.known and ".part" not in file.name
        ]
        for file in new[:most]:
            self.known.add(file)
            for sample in read(file):
                self.samples[sample.kind].append(sample)

    def batch(self, count: int, whole: bool) -> Pieces:
        """Return `count` pieces of (6, SIDE, SIDE), or whole composites of twice that."""
        pieces = [self._piece(int(self.rng.choice(len(KINDS), p=SHARES)), whole) for _ in range(count)]
        low, high, brightest = zip(*pieces, strict=True)
        return to_batch(torch.stack(low), torch.stack(high), torch.tensor(brightest))

    def _piece(self, kind: int, whole: bool) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Return the planes of a sample or a piece of one, and the brightest value of the whole sample."""
        pool = self.samples[kind]
        large = [sample for sample in pool if sample.low.shape[-1] > SIDE]
        if large and (whole or self.rng.random() < 0.4):
            pool = large
        sample = pool[int(self.rng.integers(len(pool)))]
        low, high = sample.low.clone(), sample.high.clone()
        order = torch.from_numpy(self.rng.permutation(3))
        for planes in (low, high):
            planes[:3] = planes[:3][order]
        if self.rng.random() < 0.15:
            low[:3], high[:3] = 255 - low[:3], 255 - high[:3]
        brightest = int(low[:3].max())
        if not whole:
            low, high = self._cut(low, high, opaque=sample.kind == 0)
        turned = [axis for axis, share in ((2, 0.5), (1, 0.2)) if self.rng.random() < share]
        return low.flip(turned), high.flip(turned), brightest

    def _cut(self, low: torch.Tensor, high: torch.Tensor, *, opaque: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a square of `SIDE`, mostly around a pixel of the zone, or of an opaque thing."""
        room = low.shape[-1] - SIDE
        if not room:
            return low, high
        where = high[3] > 127 if opaque else high[4]
        rows, columns = torch.nonzero(where[::4, ::4], as_tuple=True)
        y, x = (int(value) for value in self.rng.integers(0, room + 1, 2))
        if len(rows) and self.rng.random() < 0.9:
            pick = int(self.rng.integers(len(rows)))
            y, x = (min(room, max(0, 2 * int(at[pick]) - int(self.rng.integers(SIDE)))) for at in (rows, columns))
        return (
            low[:, y : y + SIDE, x : x + SIDE],
            high[:, 2 * y : 2 * (y + SIDE), 2 * x : 2 * (x + SIDE)],
        )


def to_batch(low: torch.Tensor, high: torch.Tensor, brightest: torch.Tensor) -> Pieces:
    """Return a batch of `Sample`s' planes, stacked, with the brightest value (count,) of each."""
    brightest = brightest.view(-1, 1, 1, 1).clamp_min(1)
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    seen, answer = low.float(), high.float() / 255
    planes = torch.cat([(seen[:, :3] / brightest - mean) / deviation, seen[:, 3:5] / 255 * 3 - 1.5], 1)
    return Pieces(planes, seen[:, 5:] / 255, answer[:, :3] * 255 / brightest, answer[:, 3:4], answer[:, 4:])


def loss_of(share: torch.Tensor, lines: torch.Tensor, batch: Pieces) -> torch.Tensor:
    """Return the error of the opacity, half that of its differences, and half the cross-entropy of the share.

    Most weight lies on partial opacity within the zone; outside of it the first network answers.
    """
    opacity = apply_lines(lines, batch.colors)
    clipped = opacity.clamp(0, 1)
    leaky = clipped + 0.1 * (opacity - clipped)
    partial = ((batch.opacity > 1.5 / 255) & (batch.opacity < 253.5 / 255)).float()
    weight = 0.2 + batch.zone + 3 * partial * batch.zone
    error = ((leaky - batch.opacity).abs() * weight).sum() / weight.sum()
    steps = [
        (leaky.diff(dim=axis) - batch.opacity.diff(dim=axis)).abs() * batch.zone.narrow(axis, 1, leaky.shape[axis] - 1)
        for axis in (2, 3)
    ]
    edges = (steps[0].sum() + steps[1].sum()) / (batch.zone.sum() + 1000)
    gate = nn.functional.binary_cross_entropy_with_logits(share, nn.functional.avg_pool2d(batch.zone, 2))
    return error + 0.5 * (edges + gate)


def begin() -> OpacityNetwork:
    """Return an opacity network with the layers of the committed first network where they fit."""
    network, first = OpacityNetwork(), recover()
    norms_from(first)
    state = network.body.state_dict()
    for name, values in first.state_dict().items():
        if name == "stem.1.weight":
            state[name].zero_()[:, : values.shape[1]] = values
        elif not name.startswith(("head", "detail")):
            state[name] = values
    last = list(state)[-1]
    state[last][-4:] = 0.5  # of `trust`
    network.body.load_state_dict(state)
    return network


def norms_from(first: MattingNetwork) -> None:
    """Give every norm of a network from a file, where they are folded away, the statistics of 24 composites.

    What the network computes stays the same.
    """
    rng, seen = np.random.default_rng(77), {}
    images = np.stack([composite.train(rng, 256).image for _ in range(24)])
    hooks = [
        norm.register_forward_pre_hook(lambda norm, given: seen.update({norm: torch.var_mean(given[0], (0, 2, 3))}))
        for norm in first.modules()
        if isinstance(norm, nn.BatchNorm2d)
    ]
    with torch.inference_mode():
        first(prepare(torch.from_numpy(images)))
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        for norm, (spread, middle) in seen.items():
            norm.weight.mul_((spread + norm.eps).sqrt())
            norm.bias.add_(middle)
            norm.running_mean.copy_(middle)
            norm.running_var.copy_(spread)


def fit(stock: Stock, out: Path, seconds: float, resume: Path | None) -> None:
    """Train for `seconds`, and save the averaged weights as `out`/opacity.pt every three minutes."""
    network = begin()
    if resume:
        network.load_state_dict(torch.load(resume, weights_only=True))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = deepcopy(network)
    named = list(network.named_parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [value for name, value in named if name.removeprefix("body.").startswith(NEW)], "share": 1.0},
            {
                "params": [value for name, value in named if not name.removeprefix("body.").startswith(NEW)],
                "share": SLOW,
            },
        ],
        weight_decay=0.02,
    )
    started, step, saved, read_at, shown = time.monotonic(), 0, 0.0, 0.0, 0.0
    while (share := (time.monotonic() - started) / seconds) < 1:
        if time.monotonic() - read_at > 40:
            stock.grow(1 if read_at else 8)
            read_at = time.monotonic()
        whole = share > WHOLE_FROM
        rate = PEAK * min(1, (step + 1) / 20) * max(0.01, 0.5 + 0.5 * math.cos(math.pi * share))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        batch = stock.batch(WHOLE_COUNT if whole else COUNT, whole)
        planes, matte = batch.planes.contiguous(memory_format=torch.channels_last), batch.matte
        with torch.autocast("cpu", torch.bfloat16):
            if stock.rng.random() < AGAIN:
                with torch.no_grad():
                    matte = mixed(planes, matte, *network(planes, matte))
            share_at, lines = network(planes, matte)
        loss = loss_of(share_at, lines, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        follow(average, network, step, AVERAGE)
        shown = 0.97 * shown + 0.03 * loss.item() if shown else loss.item()
        if time.monotonic() - saved > 180:
            saved = time.monotonic()
            torch.save(average.state_dict(), out / "opacity.pt")
            print(f"{share:.3f} step {step} loss {shown:.4f}", flush=True)
    torch.save(average.state_dict(), out / "opacity.pt")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=38)
    parser.add_argument("--resume", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    fit(Stock(options.stock, 5), options.out, options.minutes * 60, options.resume)


if __name__ == "__main__":
    main()
