"""The trained parts: text encoder and transformer, their optimizers and average, stored as one checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from pipelines.demo.batches import Batch
from pipelines.demo.forward import Block, predict
from pipelines.demo.model import build_text_encoder, build_transformer
from pipelines.demo.optim import Average, Muon, trapezoid

WIDTHS = (14, 18, 24, 31)
MUON_LR, ADAM_LR, AVERAGE = 0.02, 2e-3, 0.998
MATRICES = (".attention.", ".feed_forward.", ".self_attn.", ".mlp.")


class Painter(nn.Module):
    """Text encoder and transformer as one module."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.text_encoder = build_text_encoder(words)
        self.transformer = build_transformer()

    def forward(self, latents: Tensor, times: Tensor, ids: Tensor, lengths: Tensor, block: Block) -> Tensor:
        """Return clean minus noise, (n, 16, 8, 8).

        The arguments are noisy latents, times (n,) 0..1, padded token ids (n, words) and their lengths.
        """
        text = self.text_encoder(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states[-2]
        return predict(self.transformer, latents, times, text, lengths, block)

    def learn(self, batch: Batch, chosen: Tensor, block: Block) -> Tensor:
        """Add the gradients of the chosen images' share of the batch's loss; return that share."""
        tokens = [batch.tokens[int(index)] for index in chosen]
        lengths = torch.tensor([len(ids) for ids in tokens])
        width = next(width for width in WIDTHS if width >= int(lengths.max()))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in tokens])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = self(batch.noisy[chosen], batch.times[chosen], ids, lengths, block).float()
        loss: Tensor = (batch.weight[chosen] * (out - batch.aim[chosen]).square()).sum() / batch.aim.numel()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()


class Training:
    """A painter with its optimizers, the moving average of its weights, the step and the seconds spent."""

    def __init__(self, words: int) -> None:
        self.painter = Painter(words)
        self.weights = list(self.painter.parameters())
        self.average = Average(self.painter, AVERAGE)
        named = list(self.painter.named_parameters())
        inner = [weight for name, weight in named if weight.ndim == 2 and any(part in name for part in MATRICES)]
        chosen = {id(weight) for weight in inner}
        outer = [weight for weight in self.weights if id(weight) not in chosen]
        self.muon = Muon(inner, MUON_LR, decay=0.02)
        self.adam = torch.optim.AdamW(outer, ADAM_LR, betas=(0.9, 0.98), weight_decay=0.0)
        self.step, self.spent = 0, 0.0

    def clear(self) -> None:
        """Set every gradient to zero; an unused weight keeps a gradient of zeros."""
        for weight in self.weights:
            weight.grad = torch.zeros_like(weight)

    def gradients(self) -> Tensor:
        """Return all gradients in one row."""
        return torch.cat([weight.grad.flatten() for weight in self.weights if weight.grad is not None])

    def update(self, gradients: Tensor, progress: float) -> None:
        """Step along the gradients, clipped to norm 1, at the learning rate of `progress` (0..1)."""
        parts = torch.split(gradients, [weight.numel() for weight in self.weights])
        for weight, part in zip(self.weights, parts, strict=True):
            weight.grad = part.view_as(weight)
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.muon.param_groups[0]["lr"] = MUON_LR * trapezoid(progress)
        self.adam.param_groups[0]["lr"] = ADAM_LR * trapezoid(progress)
        self.muon.step()
        self.adam.step()
        self.step += 1

    def store(self, file: Path) -> None:
        """Write the checkpoint atomically."""
        state = {
            "painter": self.painter.state_dict(),
            "average": self.average.module.state_dict(),
            "optimisers": [self.muon.state_dict(), self.adam.state_dict()],
            "step": self.step,
            "spent": self.spent,
        }
        torch.save(state, file.with_suffix(".new"))
        file.with_suffix(".new").replace(file)

    def restore(self, file: Path) -> None:
        """Continue from a checkpoint."""
        state = torch.load(file, weights_only=True)
        self.painter.load_state_dict(state["painter"])
        self.average.module.load_state_dict(state["average"])
        self.muon.load_state_dict(state["optimisers"][0])
        self.adam.load_state_dict(state["optimisers"][1])
        self.step, self.spent = state["step"], state["spent"]
