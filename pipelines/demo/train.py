"""Training of the demo's text encoder and transformer together on precomputed latents, by flow matching.

Two single-threaded processes keep the same weights and take the chunks of each batch in turn. (One process of two
threads meets at a barrier in every operation, which cost six sevenths of the speed on a machine with other work.) A
checkpoint holds everything, so a killed run loses at most two minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from pipelines.demo.batches import draw_batch, load_data
from pipelines.demo.forward import run_block
from pipelines.demo.model import build_tokenizer
from pipelines.demo.painter import Training

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    out: Path
    minutes: float
    batch: int
    seed: int


def main() -> None:
    """Run the command line: python -m pipelines.demo.train --out RUN_DIR --minutes 75.

    Training continues where RUN_DIR ended.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder with latents_*.pt; receives painter.pt")
    parser.add_argument("--minutes", type=float, default=75.0, help="of training in all, over every resumption")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    options = Options(**vars(parser.parse_args()))
    (options.out / "meeting").unlink(missing_ok=True)
    spawn(work, (options,), nprocs=WORKERS)  # type: ignore[no-untyped-call]


def work(rank: int, options: Options) -> None:
    """Run one of the processes."""
    torch.set_num_threads(1)
    store = distributed.FileStore(str(options.out / "meeting"), WORKERS)  # type: ignore[attr-defined]
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=WORKERS)
    torch._dynamo.config.cache_size_limit = 64
    block = torch.compile(run_block, dynamic=False)
    data, tokenizer, file = load_data(options.out), build_tokenizer(), options.out / "painter.pt"
    torch.manual_seed(options.seed)
    training = Training(len(tokenizer))
    if file.exists():
        training.restore(file)
    rng = np.random.default_rng(options.seed + training.step)
    torch.manual_seed(options.seed + training.step)
    log, before, started = Log(options.batch, training.step), training.spent, time.time()
    for picks in _picks(len(data.scenes), options.batch):
        batch, loss = draw_batch(tokenizer, data, picks, rng), torch.zeros(1)
        chunks = batch.chunks()
        training.clear()
        while (turn := store.add(f"step {training.step}", 1) - 1) < len(chunks):
            loss += training.painter.learn(batch, chunks[turn], block)
        clock = torch.tensor([before + time.time() - started if rank == 0 else 0.0])
        summed = torch.cat([loss, clock, training.gradients()])
        distributed.all_reduce(summed)
        training.spent = float(summed[1])
        progress = training.spent / (60 * options.minutes)
        training.update(summed[2:], progress)
        if rank == 0:
            training.average.update(training.painter, training.step)
            if log.due(training, float(summed[0])) or progress >= 1:
                training.store(file)
        if progress >= 1:
            break


class Log:
    """A log of the loss and the speed every 20 seconds."""

    def __init__(self, batch: int, step: int) -> None:
        self.batch, self.step, self.loss = batch, step, 0.0
        self.printed = self.stored = time.time()

    def due(self, training: Training, loss: float) -> bool:
        """Record a step; return true every two minutes, when a checkpoint is due."""
        self.loss = loss if self.loss == 0 else 0.99 * self.loss + 0.01 * loss
        now = time.time()
        if now - self.printed > 20:
            rate = (training.step - self.step) * self.batch / (now - self.printed)
            minutes = training.spent / 60
            print(f"{minutes:5.1f} min  step {training.step}  loss {self.loss:.4f}  {rate:.0f}/s", flush=True)
            self.printed, self.step = now, training.step
        if now - self.stored > 120:
            self.stored = now
            return True
        return False


def _picks(images: int, batch: int) -> Iterator[Tensor]:
    """Yield batches of indices without end; every image once before any comes again."""
    while True:
        yield from torch.split(torch.randperm(images)[: images // batch * batch], batch)


if __name__ == "__main__":
    main()
