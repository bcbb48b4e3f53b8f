"""Training batches: precomputed latents with fresh captions, noise and times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pipelines.demo.captions import caption
from pipelines.demo.latents import training_scenes
from pipelines.demo.model import START
from pipelines.demo.scene import Rng, Scene

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

DROPPED, STRANGE, MIN_WEIGHT = 0.07, 0.1, 0.05
MAX_TOKENS, CHUNK = 31, 32


@dataclass(frozen=True, slots=True)
class Data:
    """Latents of unit variance, (n, 16, 8, 8), and the scene of each."""

    latents: Tensor
    scenes: list[Scene]
    scaling_factor: float


@dataclass(frozen=True, slots=True)
class Batch:
    """Noisy latents, targets, weights and times by image; and the captions' token ids."""

    noisy: Tensor
    aim: Tensor
    weight: Tensor
    times: Tensor
    tokens: list[list[int]]

    def chunks(self) -> list[Tensor]:
        """Return indices of images whose captions are about equally long, the longest first."""
        order = torch.tensor([-len(ids) for ids in self.tokens]).argsort(stable=True)
        return list(torch.split(order, CHUNK))


def load_data(folder: Path) -> Data:
    """Read every shard of latents and repeat its scenes from its seed; the first shard sets the scale."""
    shards = [torch.load(file, weights_only=True) for file in sorted(folder.glob("latents_*.pt"))]
    factor = 1 / float(shards[0]["latents"].float().std())
    scenes = [scene for shard in shards for scene in training_scenes(len(shard["latents"]), shard["seed"])]
    return Data(torch.cat([shard["latents"].float() for shard in shards]) * factor, scenes, factor)


def words_of(scene: Scene, rng: Rng) -> str:
    """Return a caption after [START]: sometimes without words, sometimes with unknown words inserted."""
    if rng.random() < DROPPED:
        return START
    words = caption(scene, rng).split()
    if rng.random() < STRANGE:
        for _ in range(int(rng.integers(1, 4))):
            words.insert(int(rng.integers(len(words) + 1)), "xyzzy")
    return " ".join([START, *words])


def draw_batch(tokenizer: PreTrainedTokenizerFast, data: Data, picks: Tensor, rng: Rng) -> Batch:
    """Return fresh captions, noise and times for the picked images.

    Times (0 noise, 1 clean) are spread evenly over the batch and squared, which moves them towards noise. The weight
    makes the error uniform in the clean image.
    """
    tokens = tokenizer([words_of(data.scenes[int(pick)], rng) for pick in picks]).input_ids
    clean = data.latents[picks]
    noise = torch.randn_like(clean)
    times = ((torch.randperm(len(picks)) + torch.rand(len(picks))) / len(picks)).square()
    level = (1 - times)[:, None, None, None]
    weight = level.square().clamp(min=MIN_WEIGHT)
    noisy = (1 - level) * clean + level * noise
    return Batch(noisy, clean - noise, weight, times, [ids[:MAX_TOKENS] for ids in tokens])
