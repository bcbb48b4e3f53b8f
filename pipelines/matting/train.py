"""Training of the matting network on composites drawn as it goes: `python -m pipelines.matting.train --out RUN`."""

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipelines.matting import composite
from pipelines.matting.network import MattingNetwork, prepare

PHASES = ((0.65, 128, 32), (0.80, 192, 16), (1.0, 256, 12))
"""Until which share of the time, which side, and how many images a step. Small images come first, since most of what
there is to learn shows at any size."""
PEAK, WARM_UP, AVERAGE = 2e-3, 0.03, 0.998


class Stream:
    """Batches of composites: a third of each is new, the rest is reused, mirrored and recolored."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.side = 0

    def batch(self, side: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images uint8 (count, side, side, 3) and mattes float32 (count, 1, side, side)."""
        if side != self.side:
            self.side, self.kept = side, []
        new = [composite.train(self.rng, side) for _ in range(count // 3 if self.kept else count)]
        pairs = [(torch.from_numpy(made.image), torch.from_numpy(made.matte)) for made in new]
        both = pairs + [self._again() for _ in range(count - len(pairs))]
        self.kept = (self.kept + pairs)[-1500:]
        return torch.stack([pair[0] for pair in both]), torch.stack([pair[1] for pair in both])[:, None]

    def _again(self) -> tuple[torch.Tensor, torch.Tensor]:
        image, matte = self.kept[int(self.rng.integers(len(self.kept)))]
        image = image[..., torch.from_numpy(self.rng.permutation(3))]
        if self.rng.random() < 0.5:
            image, matte = image.flip(1), matte.flip(1)
        if self.rng.random() < 0.2:
            image, matte = image.flip(0), matte.flip(0)
        return (255 - image if self.rng.random() < 0.15 else image), matte


def loss_of(logits: torch.Tensor, mattes: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of every pixel plus one minus the soft overlap of every image that shows a thing."""
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, mattes)
    found = torch.sigmoid(logits).flatten(1)
    wanted = mattes.flatten(1)
    both = (found * wanted).sum(1)
    overlap = (both + 1) / (found.sum(1) + wanted.sum(1) - both + 1)
    return entropy + 0.5 * (1 - overlap).mean()


def overlap_of(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the intersection over union of each image at one half; 1 where both are empty."""
    a, b = (found > 0.5).flatten(1), (wanted > 0.5).flatten(1)
    return ((a & b).sum(1) + 1e-6) / ((a | b).sum(1) + 1e-6)


def rate_at(share: float) -> float:
    """Return the learning rate: up in a straight line, down along a cosine."""
    if share < WARM_UP:
        return PEAK * (share / WARM_UP + 0.01)
    return PEAK * max(0.004, 0.5 + 0.5 * math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP)))


def follow(average: nn.Module, network: nn.Module, step: int, most: float = AVERAGE) -> None:
    """Move the running average of the weights, and of the norms' statistics, a little towards `network`.

    It keeps at most the share `most` of itself.
    """
    keep = min(most, step / (step + 20))
    for kept, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(now, 1 - keep)


def check(average: nn.Module, side: int) -> float:
    """Return the mean overlap on 48 composites of the training families that are not trained on."""
    made = [composite.train(np.random.default_rng([7, number]), side) for number in range(48)]
    average.eval()
    with torch.inference_mode():
        images = prepare(torch.from_numpy(np.stack([one.image for one in made])))
        found = torch.cat([torch.sigmoid(average(part)) for part in torch.split(images, 8)])
    return float(overlap_of(found, torch.from_numpy(np.stack([one.matte for one in made]))).mean())


def fit(out: Path, seconds: float, seed: int, resume: Path | None, share_from: float) -> None:
    """Train for `seconds`, and save the averaged weights in `out` every two minutes."""
    network = MattingNetwork()
    if resume:
        network.load_state_dict(torch.load(resume, weights_only=True))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK, weight_decay=0.02)
    stream, started, step, saved, shown = Stream(seed), time.monotonic(), 0, 0.0, 0.0
    while (share := share_from + (time.monotonic() - started) / seconds * (1 - share_from)) < 1:
        side, count = next((side, count) for until, side, count in PHASES if share < until)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(share)
        images, mattes = stream.batch(side, count)
        network.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(prepare(images).contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), mattes)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        follow(average, network, step)
        latest = loss.item()
        shown = 0.97 * shown + 0.03 * latest if shown else latest
        if time.monotonic() - saved > 120:
            saved = time.monotonic()
            torch.save(average.state_dict(), out / "network.pt")
            print(
                f"{share:.3f} step {step} side {side} loss {shown:.4f} overlap {check(average, side):.4f}", flush=True
            )
    torch.save(average.state_dict(), out / "network.pt")
    print(f"done: {step} steps, overlap {check(average, 256):.4f}", flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=28)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--share-from", type=float, default=0.0, help="where on the schedule to begin")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    fit(options.out, options.minutes * 60, options.seed, options.resume, options.share_from)


if __name__ == "__main__":
    main()
