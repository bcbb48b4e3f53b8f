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
from torch import Tensor, distributed, nn
from transformers import PreTrainedTokenizerFast

from pipelines.demo.captions import caption
from pipelines.demo.forward import Block, predict, run_block
from pipelines.demo.latents import training_scenes
from pipelines.demo.model import START, build_text_encoder, build_tokenizer, build_transformer
from pipelines.demo.optim import Average, Muon, trapezoid
from pipelines.demo.scene import Rng, Scene

DROPPED, STRANGE, LEAST_WEIGHT = 0.07, 0.1, 0.05
MUON_LR, ADAM_LR = 0.02, 2e-3
WIDTHS, CHUNK, WORKERS = (14, 18, 24, 31), 32, 2
MATRICES = (".attention.", ".feed_forward.", ".self_attn.", ".mlp.")


class Painter(nn.Module):
    """Text encoder and transformer as one module."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.text_encoder = build_text_encoder(words)
        self.transformer = build_transformer()

    def forward(self, latents: Tensor, times: Tensor, ids: Tensor, lengths: Tensor, block: Block) -> Tensor:
        """Clean minus noise, (n, 16, 8, 8), from noisy latents, times (n,) 0..1 and padded token ids (n, words)."""
        text = self.text_encoder(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states[-2]
        return predict(self.transformer, latents, times, text, lengths, block)


@dataclass(frozen=True, slots=True)
class Data:
    """Latents of unit variance, (n, 16, 8, 8), and the scene of each."""

    latents: Tensor
    scenes: list[Scene]
    scaling_factor: float


def load_data(folder: Path) -> Data:
    """Reads every shard of latents and repeats its scenes from its seed; the first shard sets the scale."""
    shards = [torch.load(file, weights_only=True) for file in sorted(folder.glob("latents_*.pt"))]
    factor = 1 / float(shards[0]["latents"].float().std())
    scenes = [scene for shard in shards for scene in training_scenes(len(shard["latents"]), shard["seed"])]
    return Data(torch.cat([shard["latents"].float() for shard in shards]) * factor, scenes, factor)


def words_of(scene: Scene, rng: Rng) -> str:
    """A caption behind [START]: sometimes none at all, sometimes with strange words strewn in."""
    if rng.random() < DROPPED:
        return START
    words = caption(scene, rng).split()
    if rng.random() < STRANGE:
        for _ in range(int(rng.integers(1, 4))):
            words.insert(int(rng.integers(len(words) + 1)), "xyzzy")
    return " ".join([START, *words])


@dataclass(frozen=True, slots=True)
class Batch:
    """Noisy latents, what to predict, its weight and the time, all by picture; and the captions' token ids."""

    noisy: Tensor
    aim: Tensor
    weight: Tensor
    times: Tensor
    tokens: list[list[int]]

    def chunks(self) -> list[Tensor]:
        """Indices of pictures whose captions are about equally long, the longest first."""
        order = torch.tensor([-len(ids) for ids in self.tokens]).argsort(stable=True)
        return list(order.split(CHUNK))


def draw_batch(tokenizer: PreTrainedTokenizerFast, data: Data, picks: Tensor, rng: Rng) -> Batch:
    """Fresh captions, noise and times for the picked pictures; noise levels are spread evenly over the batch."""
    tokens = tokenizer([words_of(data.scenes[int(pick)], rng) for pick in picks]).input_ids
    clean = data.latents[picks]
    noise = torch.randn_like(clean)
    times = ((torch.randperm(len(picks)) + torch.rand(len(picks))) / len(picks)).square()
    level = (1 - times)[:, None, None, None]
    weight = level.square().clamp(min=LEAST_WEIGHT)
    noisy = (1 - level) * clean + level * noise
    return Batch(noisy, clean - noise, weight, times, [ids[: WIDTHS[-1]] for ids in tokens])


def learn(painter: Painter, batch: Batch, chosen: Tensor, block: Block) -> Tensor:
    """Adds the gradients of the chosen pictures' share of the batch's loss; returns that share."""
    tokens = [batch.tokens[int(index)] for index in chosen]
    lengths = torch.tensor([len(ids) for ids in tokens])
    width = next(width for width in WIDTHS if width >= int(lengths.max()))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in tokens])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = painter(batch.noisy[chosen], batch.times[chosen], ids, lengths, block).float()
    loss = (batch.weight[chosen] * (out - batch.aim[chosen]).square()).sum() / batch.aim.numel()
    loss.backward()
    return loss.detach()


def optimisers_of(painter: Painter) -> tuple[tuple[torch.optim.Optimizer, float], ...]:
    """Muon for the matrices inside blocks, AdamW for all else; each with its peak learning rate."""
    named = list(painter.named_parameters())
    inner = [weight for name, weight in named if weight.ndim == 2 and any(part in name for part in MATRICES)]
    chosen = {id(weight) for weight in inner}
    outer = [weight for _, weight in named if id(weight) not in chosen]
    adam = torch.optim.AdamW(outer, ADAM_LR, betas=(0.9, 0.98), weight_decay=0.0)
    return (Muon(inner, MUON_LR, decay=0.02), MUON_LR), (adam, ADAM_LR)


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    out: Path
    minutes: float
    batch: int
    seed: int


def main() -> None:
    """Command line: python -m pipelines.demo.train --out RUN_DIR --minutes 75; continues where RUN_DIR left off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder with latents_*.pt; receives painter.pt")
    parser.add_argument("--minutes", type=float, default=75.0, help="of training in all, over every resumption")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    options = Options(**vars(parser.parse_args()))
    (options.out / "meeting").unlink(missing_ok=True)
    torch.multiprocessing.spawn(work, (options,), nprocs=WORKERS)


def work(rank: int, options: Options) -> None:
    """One of the single-threaded processes: all keep the same weights and share out each batch chunk by chunk."""
    torch.set_num_threads(1)
    store = distributed.FileStore(str(options.out / "meeting"), WORKERS)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=WORKERS)
    torch._dynamo.config.cache_size_limit = 64
    block = torch.compile(run_block, dynamic=False)
    data, tokenizer = load_data(options.out), build_tokenizer()
    torch.manual_seed(options.seed)
    painter = Painter(len(tokenizer))
    weights = list(painter.parameters())
    optimisers, average = optimisers_of(painter), Average(painter, 0.998)
    step, spent, file = 0, 0.0, options.out / "painter.pt"
    if file.exists():
        step, spent = _restore(file, painter, average, optimisers)
    rng, order = np.random.default_rng(options.seed + step), torch.empty(0, dtype=torch.long)
    torch.manual_seed(options.seed + step)
    started = stored = printed = time.time()
    recent, counted = 0.0, step
    while True:
        if len(order) < options.batch:
            order = torch.randperm(len(data.scenes))
        picks, order = order[: options.batch], order[options.batch :]
        batch = draw_batch(tokenizer, data, picks, rng)
        chunks, loss = batch.chunks(), torch.zeros(())
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        while (turn := store.add(f"step {step}", 1) - 1) < len(chunks):
            loss += learn(painter, batch, chunks[turn], block)
        clock = torch.tensor([spent + time.time() - started if rank == 0 else 0.0])
        gradients = [weight.grad.flatten() for weight in weights if weight.grad is not None]
        flat = torch.cat([loss.view(1), clock, *gradients])
        distributed.all_reduce(flat)
        progress = float(flat[1]) / (60 * options.minutes)
        for weight, gradient in zip(weights, flat[2:].split([weight.numel() for weight in weights]), strict=True):
            weight.grad = gradient.view_as(weight)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for optimiser, peak in optimisers:
            optimiser.param_groups[0]["lr"] = peak * trapezoid(progress)
            optimiser.step()
        step += 1
        recent = float(flat[0]) if recent == 0 else 0.99 * recent + 0.01 * float(flat[0])
        if rank == 0:
            average.update(painter, step)
            if time.time() - printed > 20:
                rate = (step - counted) * options.batch / (time.time() - printed)
                print(f"{float(flat[1]) / 60:5.1f} min  step {step}  loss {recent:.4f}  {rate:.0f}/s", flush=True)
                printed, counted = time.time(), step
            if time.time() - stored > 120 or progress >= 1:
                _store(file, painter, average, optimisers, step, float(flat[1]))
                stored = time.time()
        if progress >= 1:
            break


def _restore(
    file: Path, painter: Painter, average: Average, optimisers: tuple[tuple[torch.optim.Optimizer, float], ...]
) -> tuple[int, float]:
    state = torch.load(file, weights_only=True)
    painter.load_state_dict(state["painter"])
    average.module.load_state_dict(state["average"])
    for (optimiser, _), saved in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    return state["step"], state["spent"]


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
