"""The family `real-esrgan`: pictures and films twice or four times as large, by Real-ESRGAN's networks or by Lanczos.

A film is enlarged frame by frame; its frames are read and written one at a time, and its sound stays.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from jobs.params.upscale import UpscaleParams
from pipelines.catalog.spec import ModelSpec
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.upscale.checkpoint import load_net
from pipelines.upscale.sizes import check_film, check_picture, too_large_for_network
from pipelines.upscale.tiles import enlarge
from pipelines.video.clip_sound import joined_sound
from pipelines.video.clips import ClipFacts, read_facts, read_frames
from pipelines.video.color import empty_video, fill_planes

Pixels = NDArray[np.uint8]
Enlarge = Callable[[Pixels, Callable[[float], None]], torch.Tensor]
"""Makes of height x width x 3 the larger picture, uint8, 3 x height x width; reports the share that is done."""


class RealESRGAN:
    """A network of Real-ESRGAN over the picture, in tiles."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        # float16 as the published code has it: bfloat16 has as many bits of a color as eight-bit pixels, and bands show
        dtype = getattr(torch, spec.dtype or ("float32" if device == "cpu" else "float16"))
        (file,) = weights.glob("*.safetensors")
        self.spec = spec
        self.net = load_net(file, loader or WeightLoader(device), dtype)

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.net]

    def run(self, params: UpscaleParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return the picture as RGB, or RGBA where it has transparency, or the `frames` and the `sound` of the film.

        It reports after each tile of each frame. Raises `NotThisModel` for what would be too large.
        """
        ctx.progress(0.0, "prepare")
        if "input_video" in inputs.files:
            return self._film(params, read_facts(inputs.files["input_video"]), ctx)
        with Image.open(inputs.files["input_image"], formats=("PNG",)) as opened:
            image = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
        check_picture(image.size, params.scale)
        warnings = self._warn(params, "picture", image.width * image.height, ctx)
        work, method = self._method(params, is_large=bool(warnings))
        pixels = np.asarray(image)
        ctx.progress(0.02, "step")
        made = work(pixels[..., :3], lambda done: ctx.progress(0.02 + 0.96 * done, "step" if done < 1 else "encode"))
        larger = made.permute(1, 2, 0).cpu().numpy()
        if image.mode == "RGBA":
            alpha = _resized(image.getchannel("A"), params.scale)
            larger = np.dstack([larger, np.asarray(alpha)])
        return RawOutput(
            arrays={"0": np.ascontiguousarray(larger)},
            warnings=warnings,
            metadata={"seed": ctx.seed, "method": method, "scale": params.scale},
        )

    def _film(self, params: UpscaleParams, clip: ClipFacts, ctx: RunContext) -> RawOutput:
        check_film(clip, params.scale)
        (width, height), count = clip.size, clip.frames
        warnings = self._warn(params, "film", width * height * count, ctx)
        work, method = self._method(params, is_large=bool(warnings))
        frames = empty_video(ctx, count, width * params.scale, height * params.scale)
        ctx.progress(0.02, "step")
        for number, pixels in zip(range(count), read_frames(clip), strict=False):

            def report(done: float, number: int = number) -> None:
                share = (number + done) / count
                ctx.progress(0.02 + 0.96 * share, "step" if share < 1 else "encode")

            frames[number] = _planes(work(pixels, report))
        sound = joined_sound([clip.file], [count], clip.fps)
        return RawOutput(
            arrays={"frames": frames} | ({} if sound is None else {"sound": sound}),
            warnings=warnings,
            metadata={
                "seed": ctx.seed,
                "method": method,
                "scale": params.scale,
                "fps": clip.fps,
                "frames": count,
            },
        )

    def _warn(self, params: UpscaleParams, what: str, pixels: int, ctx: RunContext) -> tuple[str, ...]:
        """Return why the network is not used where it was asked for, which the caller hears at once."""
        warning = too_large_for_network(self.spec, what, pixels) if params.method == "realesrgan" else None
        if warning is None:
            return ()
        ctx.warn(warning)
        return (warning,)

    def _method(self, params: UpscaleParams, *, is_large: bool) -> tuple[Enlarge, str]:
        """Return what enlarges, and its name."""
        if params.method == "lanczos" or is_large:
            return lambda pixels, report: _by_lanczos(pixels, params.scale, report), "lanczos"
        return lambda pixels, report: enlarge(self.net, _tensor(pixels), params.scale, report), "realesrgan"


def _tensor(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)  # a copy: a picture's own pixels cannot be written


def _by_lanczos(pixels: Pixels, scale: int, report: Callable[[float], None]) -> torch.Tensor:
    made = _tensor(np.asarray(_resized(Image.fromarray(np.ascontiguousarray(pixels)), scale)))
    report(1.0)
    return made


def _resized(image: Image.Image, scale: int) -> Image.Image:
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.LANCZOS)


def _planes(picture: torch.Tensor) -> Pixels:
    """Return one frame in planes, converted where its pixels are."""
    _, height, width = picture.shape
    planes = torch.empty(1, height * 3 // 2, width, dtype=torch.uint8, device=picture.device)
    fill_planes(planes, picture[None].float() / 255)
    return planes[0].cpu().numpy()
