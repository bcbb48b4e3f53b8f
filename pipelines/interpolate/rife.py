"""The family `rife`: films with two to four times as many frames a second, by RIFE's network.

The film's own frames stay as they are, and those between them are drawn. It lasts as long as before: what would come
after the last frame is that frame. Nothing is drawn between two shots, nor where nothing moves.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from core.errors.fields import NotThisModel
from jobs.params.upscale import InterpolateParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.state_dict_check import refuse, state_dict_mismatches
from pipelines.interpolate.nets import MULTIPLE, IFNet
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.clip_sound import joined_sound
from pipelines.video.clips import MOST_BYTES, ClipFacts, read_facts, read_planes, rgb_of
from pipelines.video.color import empty_video, fill_planes

MOST_FPS = 120
"""Frames a second of a film that is made."""
CUT = 0.2
"""Mean difference between two frames that are of two shots, where black and white differ by 1."""
COARSE = 8
"""Pixels of a frame, each way, of which one is looked at for it."""

Pixels = NDArray[np.uint8]


class Rife:
    """RIFE's network between every two frames, always in float32: half precision misses places by a pixel."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        (file,) = weights.glob("*.safetensors")
        loader = loader or WeightLoader(device)
        tensors = loader.read([file], lambda _, stored: torch.float32)
        with torch.device("meta"):
            net = IFNet()
        refuse(file.name, state_dict_mismatches(net, {name: tuple(tensor.shape) for name, tensor in tensors.items()}))
        net.load_state_dict(tensors, strict=True, assign=True)
        self.spec = spec
        self.net: IFNet = loader.to_device(net.eval().requires_grad_(requires_grad=False))

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.net]

    def run(self, params: InterpolateParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return the `frames` and the `sound` of the film; report after each frame. Raises `NotThisModel`."""
        ctx.progress(0.0, "prepare")
        clip, factor = read_facts(inputs.files["input_video"]), params.factor
        _check(clip, factor)
        frames = empty_video(ctx, clip.frames * factor, *clip.size)
        for number, planes in zip(range(clip.frames), read_planes(clip), strict=False):
            frames[number * factor : (number + 1) * factor] = planes
        drawn = 0
        for number, (first, second) in enumerate(pairwise(range(0, len(frames), factor))):
            if _is_one_shot(frames[first], frames[second], clip.size[1]):
                before, after = (self._seen(frames[place]) for place in (first, second))
                for place in range(first + 1, second):
                    frames[place] = self._between(before, after, (place - first) / factor, clip.size)
                    drawn += 1
                    ctx.progress((number + (place - first) / factor) / clip.frames, "step")
        ctx.progress((clip.frames - 1) / clip.frames, "encode")
        sound = joined_sound([clip.file], [len(frames)], clip.fps * factor)
        return RawOutput(
            arrays={"frames": frames} | ({} if sound is None else {"sound": sound}),
            metadata={
                "seed": ctx.seed,
                "method": "rife",
                "fps": clip.fps * factor,
                "frames": len(frames),
                "drawn_frames": drawn,
            },
        )

    def _seen(self, planes: Pixels) -> torch.Tensor:
        """Return a frame as the network takes it: 1 x 3 x height x width in 0 to 1, its edges repeated."""
        rgb = torch.from_numpy(rgb_of(planes)).to(next(self.net.parameters()).device)
        height, width = rgb.shape[:2]
        return functional.pad(
            rgb.permute(2, 0, 1)[None].float() / 255, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate"
        )

    @torch.inference_mode()
    def _between(self, first: torch.Tensor, second: torch.Tensor, time: float, size: tuple[int, int]) -> Pixels:
        """Return the planes of the frame at `time`, from 0 to 1."""
        width, height = size
        made = self.net(first, second, time)[..., :height, :width].clamp(0, 1)
        planes = torch.empty(1, height * 3 // 2, width, dtype=torch.uint8, device=made.device)
        fill_planes(planes, made)
        return planes[0].cpu().numpy()


def _check(clip: ClipFacts, factor: int) -> None:
    if clip.fps * factor > MOST_FPS:
        raise NotThisModel(
            f"The film has {clip.fps} frames a second and would have {clip.fps * factor}; one has at most {MOST_FPS}. "
            "Ask for a smaller `factor`.",
            field="$.factor",
        )
    width, height = clip.size
    if width * height * 3 // 2 * clip.frames * factor > MOST_BYTES:
        raise NotThisModel(
            f"{clip.frames * factor} frames of {width}x{height} are too many; send a shorter or smaller film, or ask "
            "for a smaller `factor`.",
            field="$.input_video",
        )


def _is_one_shot(first: Pixels, second: Pixels, height: int) -> bool:
    """Return whether frames, as planes, differ, and so little that the one can become the other."""
    coarse = (planes[:height:COARSE, ::COARSE].astype(np.float32) / 255 for planes in (first, second))
    return not np.array_equal(first, second) and float(np.abs(np.subtract(*coarse)).mean()) < CUT
