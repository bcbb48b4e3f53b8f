"""A stock of composites for the opacity networks, drawn beforehand: `python -m pipelines.matting.stock --out RUN`.

Drawing takes about as long as a step of training, so it is a process of its own; `train_opacity` and
`train_close` read what is there.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from pipelines.matting import composite, partial
from pipelines.matting.network import SIDE, MattingNetwork, prepare

CHUNK = 40
KINDS = ("opaque", "hair", "glass")
ORDER = (1, 2, 1, 0, 1)
"""Kinds of the composites of a chunk, by turns."""
MARGIN = 5
"""Pixels, of 256, by which the zone reaches beyond partial opacity."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A composite as the network sees it, and what it should answer; all uint8.

    `low` is (6, side, side): colors, cues and the first network's matte. `high` is (5, 2 side, 2 side):
    colors, opacity, and the zone where the opacity network answers.
    """

    low: torch.Tensor
    high: torch.Tensor
    kind: int


def draw(file: Path, seed: int, side: int, first: MattingNetwork) -> None:
    """Draw a chunk of composites of `side` (256 or 512), and what `first` finds in them, into `file` (npz)."""
    rng = np.random.default_rng([78, side, seed])
    kinds = [ORDER[number % len(ORDER)] for number in range(CHUNK)]
    made = [partial.train(rng, side, KINDS[kind]) if kind else composite.train(rng, side) for kind in kinds]
    images = np.stack([one.image for one in made])
    low = halved(images)
    seen = prepare(torch.from_numpy(images if side == SIDE else low))
    with torch.inference_mode():
        found = torch.sigmoid(torch.cat([first(part) for part in torch.split(seen, 8)]))
        found = nn.functional.adaptive_avg_pool2d(found, low.shape[1:3])[:, 0]
    whole = file.with_suffix(".part.npz")
    np.savez(
        whole,
        image=images,
        low=low,
        matte=(np.stack([one.matte for one in made]) * 255 + 0.5).astype(np.uint8),
        first=(found.numpy() * 255 + 0.5).astype(np.uint8),
        kind=np.array(kinds, np.uint8),
    )
    whole.rename(file)


def halved(images: np.ndarray) -> np.ndarray:
    """Return uint8 (count, side, side, 3) at half the side, as the service makes its small image."""
    side = images.shape[1] // 2
    return np.stack([np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.LANCZOS)) for one in images])


def read(file: Path) -> list[Sample]:
    """Return the samples of a chunk."""
    with np.load(file) as chunk:
        image, low, matte, first, kind = (
            torch.from_numpy(chunk[name]) for name in ("image", "low", "matte", "first", "kind")
        )
    hints = ((prepare(low)[:, 3:] + 1.5) / 3 * 255 + 0.5).to(torch.uint8)
    seen = torch.cat([low.permute(0, 3, 1, 2), hints, first[:, None]], 1)
    answer = torch.cat([image.permute(0, 3, 1, 2), matte[:, None], zone(matte[:, None], kind)], 1)
    return [Sample(seen[number], answer[number], int(kind[number])) for number in range(len(kind))]


def zone(matte: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
    """Return 255 around partial opacity of hair, on and around clear things, 0 elsewhere and for opaque things."""
    wide = matte.shape[-1] // SIDE * MARGIN * 2 + 1
    hair, glass = (spread(where.float(), wide) for where in ((matte > 1) & (matte < 254), matte > 1))
    kinds = kind[:, None, None, None]
    return (torch.where(kinds == KINDS.index("glass"), glass, hair) * (kinds > 0) * 255).to(torch.uint8)


def spread(where: torch.Tensor, wide: int) -> torch.Tensor:
    """Return the largest value within `wide` x `wide` pixels, by rows and then by columns, which is far quicker."""
    rows = nn.functional.max_pool2d(where, (wide, 1), 1, (wide // 2, 0))
    return nn.functional.max_pool2d(rows, (1, wide), 1, (0, wide // 2))


def main() -> None:
    """Run the command line."""
    from pipelines.matting.export import recover

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--chunks", type=int, default=60)
    parser.add_argument("--side", type=int, default=512)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    first = recover()
    for seed in range(options.chunks):
        draw(options.out / f"{options.side}-{seed:03}.npz", seed, options.side, first)


if __name__ == "__main__":
    main()
