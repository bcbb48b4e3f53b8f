"""Trains the demo's text encoder and transformer together on precomputed latents, by flow matching.

The transformer predicts clean minus noise, as ZImagePipeline reads it. The loss is even in the clean picture: the
squared error is weighted by the square of the noise level. Noise levels are drawn towards pure noise (t = u * u).
A checkpoint holds everything, so a killed run loses at most three minutes.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from pipelines.demo.captions import caption
from pipelines.demo.forward import predict
from pipelines.demo.latents import training_scenes
from pipelines.demo.model import START, build_text_encoder, build_tokenizer, build_transformer
from pipelines.demo.optim import Average, Muon, trapezoid
from pipelines.demo.scene import Rng, Scene

DROPPED, STRANGE, LEAST_WEIGHT = 0.07, 0.1, 0.05
MUON_LR, ADAM_LR = 0.02, 2e-3
MATRICES = (".attention.", ".feed_forward.", ".self_attn.", ".mlp.")


class Painter(nn.Module):
    """Text encoder and transformer as one module."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.text_encoder = build_text_encoder(words)
        self.transformer = build_transformer()

    def forward(self, latents: Tensor, times: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
        """Clean minus noise, (n, 16, 8, 8), from noisy latents, times (n,) 0..1 and padded token ids (n, words)."""
        text = self.text_encoder(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states[-2]
        return predict(self.transformer, latents, times, text, lengths)


@dataclass(frozen=True, slots=True)
class Data:
    """Latents of unit variance, (n, 16, 8, 8), and the scene of each."""

    latents: Tensor
    scenes: list[Scene]
    scaling_factor: float


def load_data(folder: Path) -> Data:
    """Reads latents.pt and repeats its scenes from the seed."""
    stored = torch.load(folder / "latents.pt", weights_only=True)
    latents = stored["latents"].float()
    factor = 1 / float(latents.std())
    return Data(latents * factor, training_scenes(len(latents), stored["seed"]), factor)


def words_of(scene: Scene, rng: Rng) -> str:
    """A caption behind [START]: sometimes none at all, sometimes with strange words strewn in."""
    if rng.random() < DROPPED:
        return START
    words = caption(scene, rng).split()
    if rng.random() < STRANGE:
        for _ in range(int(rng.integers(1, 4))):
            words.insert(int(rng.integers(len(words) + 1)), "xyzzy")
    return " ".join([START, *words])


def loss_of(painter: Painter, tokenizer: PreTrainedTokenizerFast, data: Data, picks: Tensor, rng: Rng) -> Tensor:
    """The loss on the picked pictures."""
    tokens = tokenizer([words_of(data.scenes[int(pick)], rng) for pick in picks], padding=True, return_tensors="pt")
    clean = data.latents[picks]
    noise = torch.randn_like(clean)
    times = ((torch.randperm(len(picks)) + torch.rand(len(picks))) / len(picks)).square()
    level = (1 - times)[:, None, None, None]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = painter((1 - level) * clean + level * noise, times, tokens.input_ids, tokens.attention_mask.sum(1))
    weight = level.square().clamp(min=LEAST_WEIGHT)
    return (weight * (out.float() - (clean - noise)).square()).mean()


def optimisers_of(painter: Painter) -> tuple[tuple[torch.optim.Optimizer, float], ...]:
    """Muon for the matrices inside blocks, AdamW for all else; each with its peak learning rate."""
    named = list(painter.named_parameters())
    inner = [weight for name, weight in named if weight.ndim == 2 and any(part in name for part in MATRICES)]
    chosen = {id(weight) for weight in inner}
    outer = [weight for _, weight in named if id(weight) not in chosen]
    adam = torch.optim.AdamW(outer, ADAM_LR, betas=(0.9, 0.98), weight_decay=0.0)
    return (Muon(inner, MUON_LR, decay=0.02), MUON_LR), (adam, ADAM_LR)


def main() -> None:
    """Command line: python -m pipelines.demo.train --out RUN_DIR --minutes 75; continues where RUN_DIR left off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder with latents.pt; receives painter.pt")
    parser.add_argument("--minutes", type=float, default=75.0, help="of training in all, over every resumption")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(2)
    data, tokenizer = load_data(options.out), build_tokenizer()
    torch.manual_seed(options.seed)
    painter = Painter(len(tokenizer))
    optimisers, average = optimisers_of(painter), Average(painter, 0.998)
    step, spent, file = 0, 0.0, options.out / "painter.pt"
    if file.exists():
        state = torch.load(file, weights_only=True)
        painter.load_state_dict(state["painter"])
        average.module.load_state_dict(state["average"])
        for (optimiser, _), saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        step, spent = state["step"], state["spent"]
    rng, order = np.random.default_rng(options.seed + step), torch.empty(0, dtype=torch.long)
    torch.manual_seed(options.seed + step)
    started, recent, printed, stored = time.time() - spent, 0.0, time.time(), time.time()
    while (progress := (time.time() - started) / (60 * options.minutes)) < 1:
        if len(order) < options.batch:
            order = torch.randperm(len(data.scenes))
        picks, order = order[: options.batch], order[options.batch :]
        loss = loss_of(painter, tokenizer, data, picks, rng)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(painter.parameters(), 1.0)
        for optimiser, peak in optimisers:
            optimiser.param_groups[0]["lr"] = peak * trapezoid(progress)
            optimiser.step()
            optimiser.zero_grad()
        average.update(painter, step)
        step += 1
        recent = float(loss) if step == 1 or recent == 0 else 0.99 * recent + 0.01 * float(loss)
        if time.time() - printed > 20:
            rate = step * options.batch / (time.time() - started)
            print(f"{(time.time() - started) / 60:5.1f} min  step {step}  loss {recent:.4f}  {rate:.0f}/s", flush=True)
            printed = time.time()
        if time.time() - stored > 150:
            _store(file, painter, average, optimisers, step, time.time() - started)
            stored = time.time()
    _store(file, painter, average, optimisers, step, time.time() - started)


def _store(
    file: Path,
    painter: Painter,
    average: Average,
    optimisers: tuple[tuple[torch.optim.Optimizer, float], ...],
    step: int,
    spent: float,
) -> None:
    state = {
        "painter": painter.state_dict(),
        "average": average.module.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser, _ in optimisers],
        "step": step,
        "spent": spent,
    }
    torch.save(state, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


if __name__ == "__main__":
    main()
