"""The family `triposg`: an image of one object to a closed mesh.

An image goes through `conditioning` (DINOv2 tokens), `schedule` (rectified flow over `transformer`), `vae` (latents to
a field of values, positive inside) and `extract` (the surface of that field). `config` and `load` read the published
folders, `family` combines the parts, `layers` has the building blocks of both networks.

Shapes in comments: B batch, N latent tokens, C channels, H heads, D channels of a head, P points.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.catalog.spec import ModelSpec
from pipelines.memory.weight_loader import WeightLoader
from pipelines.mesh.silhouette import read_object_image
from pipelines.mesh.triposg.conditioning import image_tokens, object_on_white
from pipelines.mesh.triposg.config import ScheduleConfig, TransformerConfig, VaeConfig, read_config
from pipelines.mesh.triposg.extract import Grid, extract
from pipelines.mesh.triposg.load import WEIGHTS, load_image_encoder, load_module, load_processor
from pipelines.mesh.triposg.schedule import denoise, guided
from pipelines.mesh.triposg.transformer import Transformer
from pipelines.mesh.triposg.vae import UNUSED, Vae
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext

STEPS, GUIDANCE = 50, 7.0
"""The published defaults, for a catalog entry without any."""
DENOISING = 0.7
"""The share of a job's progress that the steps are; the rest is the extraction."""


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Values that no configuration file has: the latent tokens of a shape, and the resolution of its surface."""

    tokens: int = 2048
    grid: Grid = Grid()


class TripoSG:
    """One image to one mesh, as `pipelines.mesh.surface` describes it; 2048 latent tokens, surface at 512 cells.

    The axes are the model's own. That y is up and the front faces +z is how its meshes are shown in public; only the
    published weights can prove it.
    """

    def __init__(
        self,
        spec: ModelSpec,
        weights: Path,
        device: str,
        loader: WeightLoader | None = None,
        *,
        sizes: Sizes | None = None,
    ) -> None:
        # Float16 as the reference, not bfloat16: the surface lies where values are small differences of large ones.
        dtype = getattr(torch, spec.dtype or ("float32" if device == "cpu" else "float16"))
        self.spec, self.device, self.dtype = spec, device, dtype
        self.sizes = sizes or Sizes()
        self.schedule = read_config(weights / "scheduler" / "scheduler_config.json", ScheduleConfig)
        transformer = read_config(weights / "transformer" / "config.json", TransformerConfig)
        vae = read_config(weights / "vae" / "config.json", VaeConfig)
        self.channels = transformer.in_channels
        self.processor = load_processor(weights / "feature_extractor_dinov2")
        loader = loader or WeightLoader(device)
        self.encoder = load_image_encoder(weights / "image_encoder_dinov2", loader, dtype)
        self.transformer = load_module(
            lambda: Transformer(transformer), weights / "transformer" / WEIGHTS, loader, dtype
        )
        self.vae = load_module(lambda: Vae(vae), weights / "vae" / WEIGHTS, loader, dtype, UNUSED)

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.encoder, self.transformer, self.vae]

    @torch.inference_mode()
    def run(self, params: Any, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make the mesh of the object in `image_path`; report after every step and every chunk of points.

        Raises `InputUnreadable` for an image without an object, and `PipelineFailed` for one of which the model makes
        no surface.
        """
        ctx.progress(0.0, "prepare")
        image, warnings = object_on_white(inputs.files["image_path"])
        for warning in warnings:
            ctx.warn(warning)
        context = image_tokens(self.encoder, self.processor, image)
        steps = self.spec.defaults.num_inference_steps or STEPS
        scale = self.spec.defaults.guidance_scale
        scale = GUIDANCE if scale is None else scale
        latents = self._sample(context, steps, scale, ctx)
        vertices, faces = self._extract(latents, ctx)
        arrays: dict[str, NDArray[Any]] = {"vertices": centered(vertices), "faces": faces}
        if params.mode != "generate":
            arrays["image"] = read_object_image(inputs.files["image_path"])
        return RawOutput(
            arrays=arrays,
            warnings=warnings,
            metadata={"seed": ctx.seed, "num_inference_steps": steps, "guidance_scale": scale},
        )

    def _sample(self, context: torch.Tensor, steps: int, scale: float, ctx: RunContext) -> torch.Tensor:
        """Return 1 x tokens x channels. The CPU draws the noise, so that a seed means the same on every device."""

        def report(done: int) -> None:
            ctx.progress(DENOISING * done / steps, "decode" if done == steps else "step")

        generator = torch.Generator("cpu").manual_seed(ctx.seed)
        noise = torch.randn(1, self.sizes.tokens, self.channels, generator=generator).to(self.device)
        velocity = guided(self.transformer, context, scale)
        return denoise(velocity, noise, self.dtype, self.schedule, steps, report)

    def _extract(self, latents: torch.Tensor, ctx: RunContext) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        memory = self.vae.remember(latents.to(self.dtype))
        return extract(
            lambda points: self.vae.values(points, memory),
            self.sizes.grid,
            self.device,
            lambda part: ctx.progress(DENOISING + (1 - DENOISING) * part, "decode"),
        )


def centered(vertices: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vertices with the middle of their bounding box at the origin, scaled down to fit [-1, 1]."""
    moved: NDArray[np.float32] = vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    moved /= max(1.0, float(np.abs(moved).max()))
    return moved
