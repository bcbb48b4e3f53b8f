"""Training of the demo's autoencoder: 256 x 256 images to 16 x 8 x 8 latents and back, in about 15 minutes.

Every layer is local (convolutions, normalization over channels), so most of the run uses crops of 128 x 128, cut on the
latent grid and near the objects. The last part uses whole images.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.demo.draw import draw
from pipelines.demo.model import Untyped, build_vae
from pipelines.demo.optim import Average, Muon, warm_cosine
from pipelines.demo.scene import Rng, sample_scene

SIDE, CROP, CELL = 256, 128, 32
LATENT_PENALTY, EDGE_WEIGHT = 3e-4, 6.0


def images(rng: Rng, count: int) -> Tensor:
    """Return drawn images, (count, 3, 256, 256) in -1..1."""
    drawn = np.stack([draw(sample_scene(rng, 0.45), rng, SIDE) for _ in range(count)])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1


def crops(rng: Rng, count: int) -> Tensor:
    """Return crops on the latent grid, (count, 3, 128, 128) in -1..1; a blank crop gets two more tries."""
    return torch.stack([_cut(image, rng, 3) for image in images(rng, count)])


def _cut(image: Tensor, rng: Rng, tries: int) -> Tensor:
    top, left = (int(rng.integers((SIDE - CROP) // CELL + 1)) * CELL for _ in range(2))
    crop = image[:, top : top + CROP, left : left + CROP]
    blank = float(crop[0].std() + crop[2].std()) < 0.02
    return _cut(image, rng, tries - 1) if blank and tries > 1 else crop


def edge_weights(target: Tensor) -> Tensor:
    """Return 1 on flat ground, more within two pixels of an edge; (n, 1, h, w)."""
    span = F.max_pool2d(target, 5, 1, 2) + F.max_pool2d(-target, 5, 1, 2)
    return 1 + EDGE_WEIGHT * (span.amax(1, keepdim=True) > 0.1).float()


def loss_of(vae: Untyped, target: Tensor, noise: float, fixed: bool) -> tuple[Tensor, Tensor]:
    """Return the loss, and the mean absolute error for the log; `fixed` leaves the encoder unchanged."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.set_grad_enabled(not fixed):
            latent = vae.encoder(target).float()
        out = vae.decoder(latent + noise * torch.randn_like(latent)).float()
    error = (out - target).abs()
    weights = edge_weights(target)
    loss = (error * weights).sum() / weights.sum() / 3 + (out - target).square().mean()
    return loss + LATENT_PENALTY * latent.square().mean(), error.detach().mean()


def main() -> None:
    """Run the command line: python -m pipelines.demo.train_vae --out RUN_DIR --minutes 13."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for vae.pt (a training file, not shipped)")
    parser.add_argument("--minutes", type=float, default=13.0)
    parser.add_argument("--whole-from", type=float, default=0.75, help="share of the run after which no crops are cut")
    parser.add_argument("--lr", type=float, default=0.01, help="of Muon; AdamW gets a fifth")
    parser.add_argument("--resume", type=Path, help="weights to start from")
    parser.add_argument("--noise", type=float, default=0.1, help="added to latents, so that the decoder bears errors")
    parser.add_argument("--fixed-encoder", action="store_true", help="train the decoder only, for latents already made")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(options.seed + 1)
    vae = build_vae()
    if options.resume:
        vae.load_state_dict(torch.load(options.resume, weights_only=True))
    vae = vae.to(memory_format=torch.channels_last)
    ends = ("encoder.conv_in", "encoder.conv_out", "decoder.conv_in", "decoder.conv_out")
    named = list(vae.named_parameters())
    inner = [weight for name, weight in named if weight.ndim == 4 and not name.startswith(ends)]
    outer = [weight for name, weight in named if weight.ndim != 4 or name.startswith(ends)]
    adam = torch.optim.AdamW(outer, options.lr / 5, betas=(0.9, 0.98), weight_decay=0.0)
    optimizers = (Muon(inner, options.lr), adam)
    peaks = (options.lr, options.lr / 5)
    average, start, step, saved, recent = Average(vae, 0.997), time.time(), 0, time.time(), 0.0
    print(f"{sum(w.numel() for w in vae.parameters()) / 1e6:.2f} M weights", flush=True)
    while (progress := (time.time() - start) / (60 * options.minutes)) < 1:
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * warm_cosine(progress)
        batch = crops(rng, 16) if progress < options.whole_from else images(rng, 6)
        loss, error = loss_of(vae, batch.to(memory_format=torch.channels_last), options.noise, options.fixed_encoder)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(outer, 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        average.update(vae, step)
        step += 1
        recent = float(error) if step == 1 else 0.98 * recent + 0.02 * float(error)
        if step % 50 == 0:
            print(f"{time.time() - start:6.0f} s  step {step:5d}  error {127.5 * recent:.3f} of 255", flush=True)
        if time.time() - saved > 60:
            torch.save(average.module.state_dict(), options.out / "vae.pt")
            saved = time.time()
    torch.save(average.module.state_dict(), options.out / "vae.pt")


if __name__ == "__main__":
    main()
