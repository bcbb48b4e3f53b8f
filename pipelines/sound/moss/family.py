"""The family `moss-sound`: sounds from words, by flow matching over the latents of half a minute.

The facts are those of the published checkpoint: a schedule of flow-matching Euler with a shift of 5, guidance by two
evaluations of each step, and latents of 30 seconds whatever is asked for, of which the beginning is kept.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from core.errors.failures import NotFinite
from jobs.params.sound import LONGEST_SOUND, SoundParams
from pipelines.catalog.spec import ModelSpec
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.sound.loop import close_loop, cross_length
from pipelines.sound.moss.decoder import load_decoder
from pipelines.sound.moss.transformer import load_transformer
from pipelines.sound.moss.words import WordEncoder

STEPS, GUIDANCE, SHIFT = 100, 4.0, 5.0
"""The published defaults, the first two for a catalog entry without any."""
SEAM = "{id} makes {seconds:g} s at once, and nothing follows that could be faded into the beginning: there is a seam"


class MossSound:
    """Sounds of up to 30 seconds from words: one channel, 48 kHz."""

    def __init__(
        self,
        spec: ModelSpec,
        weights: Path,
        device: str,
        loader: WeightLoader | None = None,
        *,
        whole_seconds: float = LONGEST_SOUND,
    ) -> None:
        dtype = getattr(torch, spec.dtype or ("float32" if device == "cpu" else "bfloat16"))
        self.spec, self.device, self.dtype = spec, device, dtype
        self.whole_seconds = whole_seconds
        loader = loader or WeightLoader(device)
        self.words = WordEncoder(weights, loader, dtype)
        self.transformer = load_transformer(weights / "transformer", loader, dtype)
        self.decoder = load_decoder(weights / "vae" / "vae_128d_48k.safetensors", loader)

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.words.net, self.transformer, self.decoder]

    @torch.inference_mode()
    def run(self, params: SoundParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `samples`; report after every step. Raises `NotFinite`."""
        ctx.progress(0.0, "prepare")
        steps = self.spec.steps_of(params) or STEPS
        asked = params.guidance_scale if params.guidance_scale is not None else self.spec.defaults.guidance_scale
        guidance = GUIDANCE if asked is None else asked
        wanted = self.words.encode(f"{params.prompt} duration: {params.duration_seconds:.1f}s")
        unwanted = None if guidance == 1 else self.words.encode(params.negative_prompt or "")
        latents = self._denoise(wanted, unwanted, steps, guidance, ctx)
        made = self.decoder(latents)[0, 0]
        if not torch.isfinite(made).all():
            raise NotFinite(f"{self.spec.id} computed values that are not finite; it made no sound.")
        rate = self.decoder.sizes.sample_rate
        length = round(params.duration_seconds * rate)
        samples = made[: length + (cross_length(length, rate) if params.loop else 0)].float().cpu().numpy()
        warnings = (
            (SEAM.format(id=self.spec.id, seconds=self.whole_seconds),)
            if params.loop and len(samples) <= length
            else ()
        )
        for warning in warnings:
            ctx.warn(warning)
        return RawOutput(
            arrays={"samples": close_loop(samples, length) if params.loop else samples},
            warnings=warnings,
            metadata={
                "seed": ctx.seed,
                "sample_rate": rate,
                "num_inference_steps": steps,
                "guidance_scale": guidance,
            },
        )

    def _denoise(
        self, wanted: torch.Tensor, unwanted: torch.Tensor | None, steps: int, guidance: float, ctx: RunContext
    ) -> torch.Tensor:
        """Return latents, 1 x channels x n. The CPU draws the noise, so that a seed means the same on every device."""
        sizes = self.decoder.sizes
        shape = (1, sizes.latent_dim, round(self.whole_seconds * sizes.sample_rate) // sizes.hop)
        latents = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(ctx.seed)).to(self.device)
        scheduler: Any = FlowMatchEulerDiscreteScheduler(shift=SHIFT)  # type: ignore[no-untyped-call]
        scheduler.set_timesteps(sigmas=torch.linspace(1, 0, steps + 1)[:-1].numpy(), device=self.device)
        for number, timestep in enumerate(scheduler.timesteps, 1):
            velocity = self._velocity(latents, timestep, wanted)
            if unwanted is not None:
                away = self._velocity(latents, timestep, unwanted)
                velocity = away + guidance * (velocity - away)
            latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
            ctx.progress(number / (steps + 1), "decode" if number == steps else "step")
        return latents

    def _velocity(self, latents: torch.Tensor, timestep: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        film = latents.to(self.dtype)[..., None, None]
        made: torch.Tensor = self.transformer(film, timestep[None], words, return_dict=False)[0]
        return made[..., 0, 0].float()
