"""Training latents: images drawn and encoded once, so that training the transformer does neither.

Shards of different seeds can be made side by side, one thread each.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipelines.demo import heldout
from pipelines.demo.draw import draw
from pipelines.demo.model import Untyped, build_vae
from pipelines.demo.scene import Scene, sample_scene

TWO_SHARE, CHUNK = 0.36, 5


def training_scenes(count: int, seed: int) -> list[Scene]:
    """Return the first `count` scenes of a seed without those of evaluation captions; they repeat exactly."""
    rng = np.random.default_rng(seed)
    kept = {heldout.key(case.scene) for case in heldout.load()}
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = sample_scene(rng, TWO_SHARE)
        if heldout.key(scene) not in kept:
            scenes.append(scene)
    return scenes


@torch.no_grad()
def encode(vae: Untyped, scenes: list[Scene], seed: int) -> Tensor:
    """Return latents of the scenes, each drawn with small variations: (len(scenes), 16, 8, 8), half precision."""
    rng, start = np.random.default_rng(seed + 1), time.time()
    encoded = []
    for first in range(0, len(scenes), CHUNK):
        drawn = np.stack([draw(scene, rng) for scene in scenes[first : first + CHUNK]])
        pixels = torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.autocast("cpu", dtype=torch.bfloat16):
            latents = vae.encoder(pixels.to(memory_format=torch.channels_last))
        encoded.append(latents.half().contiguous())
        if first // CHUNK % 400 == 399:
            print(f"{first + CHUNK} images in {time.time() - start:.0f} s", flush=True)
    return torch.cat(encoded)


def main() -> None:
    """Run the command line: python -m pipelines.demo.latents --out RUN_DIR --seed 100; reads RUN_DIR/vae.pt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder with vae.pt; receives latents_SEED.pt")
    parser.add_argument("--count", type=int, default=12000)
    parser.add_argument("--seed", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    vae = build_vae().to(memory_format=torch.channels_last).eval()
    vae.load_state_dict(torch.load(options.out / "vae.pt", weights_only=True))
    latents = encode(vae, training_scenes(options.count, options.seed), options.seed)
    torch.save({"latents": latents, "seed": options.seed}, options.out / f"latents_{options.seed}.pt")
    print(f"mean {latents.float().mean():.4f}, standard deviation {latents.float().std():.4f}")


if __name__ == "__main__":
    main()
