"""Attention backend, compiled blocks, CUDA graphs, float8, memory layout and step reuse of a diffusers pipeline."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.catalog.spec import ModelSpec, StepCache
from pipelines.diffusion.attention import AttentionBackend
from pipelines.diffusion.compilation import Compilation
from pipelines.diffusion.step_cache import check_reuse, reused_steps
from pipelines.diffusion.unet_graphs import UNetGraphs
from pipelines.memory.float8 import Float8

T = TypeVar("T")


class Acceleration:
    """The acceleration of one model, whose pipelines share their components.

    Raises `ModelLoadFailed` for a preset that one of the pipelines cannot apply, and for CUDA graphs without a UNet.
    """

    def __init__(self, pipes: Iterable[Any], spec: ModelSpec, device: str) -> None:
        first, *others = pipes
        for pipe in (first, *others):
            check_reuse(pipe, spec.quality)
        self.attention = AttentionBackend(spec.attention, device, precision(spec, device))
        self._float8 = Float8(first, precision(spec, device), device)
        self._compilation = Compilation(first, wanted=spec.compile)
        self.graphs = _graphs(first, device) if spec.cuda_graphs else None
        if device.startswith("cuda"):
            channels_last(first)

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        graphs = self.graphs.warnings if self.graphs else ()
        return (*self.attention.warnings, *self._float8.warnings, *self._compilation.warnings, *graphs)

    @property
    def precision(self) -> str:
        """The precision that the denoiser computes in, as the job's metadata say it."""
        return self._float8.precision

    @property
    def graph_bytes(self) -> int:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return self.graphs.bytes if self.graphs else 0

    def free_graphs(self) -> None:
        """See `pipelines.runtime.protocol.Pipeline`."""
        if self.graphs:
            self.graphs.free()

    def compiles(self, pipe: Any, cache: StepCache | None, loras: object = (), batch: int = 1) -> bool:
        """Return whether the next run with these arguments of `run` compiles, which takes a while."""
        return self._compilation.is_due(_variant(pipe, cache, loras, batch))

    def run(
        self, pipe: Any, cache: StepCache | None, compute: Callable[[], T], loras: object = (), batch: int = 1
    ) -> T:
        """Return the result of `compute`, which calls `pipe` and can be repeated.

        `cache` is the preset's and `loras` the job's, which `pipe` has in use; `batch` images are made at once.
        """

        def reusing() -> T:
            with reused_steps(pipe, cache):
                return compute()

        if self.graphs:
            self.graphs.loras = loras
        with self._compilation.run(_variant(pipe, cache, loras, batch)):
            return self.attention.run(reusing)


def _graphs(pipe: Any, device: str) -> UNetGraphs | None:
    """Return the graphs of the pipeline's UNet; `None` on the CPU. Raises `ModelLoadFailed` without a UNet."""
    if not hasattr(pipe, "unet"):
        raise ModelLoadFailed(f"{type(pipe).__name__} has no UNet; remove `cuda_graphs`.")
    return UNetGraphs(pipe.unet, device) if device.startswith("cuda") else None


def _variant(pipe: Any, cache: StepCache | None, loras: object, batch: int) -> object:
    """Return what changes the code of the blocks, so that each has graphs of its own.

    Open shapes are open from 2 on: one image at once has its own graphs, and every larger batch shares others.
    """
    return type(pipe), cache and cache.kind, loras, batch > 1


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
