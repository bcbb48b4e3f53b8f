"""Attention backend, compiled blocks, memory layout and step reuse of a diffusers pipeline."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch import nn

from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.diffusion.attention import AttentionBackend
from pipelines.diffusion.compilation import compile_blocks
from pipelines.diffusion.step_cache import check_reuse, reused_steps

T = TypeVar("T")


class Acceleration:
    """The acceleration of one model, whose pipelines share their components.

    Raises `ModelLoadFailed` for a preset that one of the pipelines cannot apply.
    """

    def __init__(self, pipes: Iterable[Any], spec: ModelSpec, device: str) -> None:
        first, *others = pipes
        for pipe in (first, *others):
            check_reuse(pipe, spec.quality)
        self.attention = AttentionBackend(spec.attention, device, precision(spec, device))
        self._uncompiled = spec.compile and compile_blocks(first)
        if device.startswith("cuda"):
            channels_last(first)

    @property
    def first_stage(self) -> Stage:
        """The stage that a run begins with: "compile" for the first run of a model with compiled blocks."""
        return "compile" if self._uncompiled else "prepare"

    def run(self, pipe: Any, threshold: float | None, compute: Callable[[], T]) -> T:
        """Return the result of `compute`, which calls `pipe` and can be repeated; `threshold` is the preset's."""

        def reusing() -> T:
            with reused_steps(pipe, threshold):
                return compute()

        made = self.attention.run(reusing)
        self._uncompiled = False
        return made


def precision(spec: ModelSpec, device: str) -> torch.dtype:
    """Return the dtype of the weights in memory."""
    name = spec.dtype or ("float32" if device == "cpu" else "bfloat16")
    found: torch.dtype = getattr(torch, name)
    return found


def channels_last(pipe: Any) -> None:
    """Lay the weights of an image autoencoder out as cuDNN's convolutions read them; video autoencoders are 3D."""
    vae = getattr(pipe, "vae", None)
    if vae is not None and not any(isinstance(module, nn.Conv3d) for module in vae.modules()):
        vae.to(memory_format=torch.channels_last)
