"""The family `picture-labels`: a sentence with the class that a network takes a picture for, and its main colors.

It writes no caption of its own. It answers the template `description` alone, and reads no words.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from core.errors.failures import NotFinite
from jobs.params.text import TextParams
from pipelines.branding.palettes import color_names
from pipelines.catalog.spec import ModelSpec
from pipelines.description.net import SIDE, EfficientNetLite0
from pipelines.diffusion.state_dict_check import refuse, state_dict_mismatches
from pipelines.memory.weight_loader import WeightLoader, convert_floats_to
from pipelines.runtime.protocol import Inputs, MetadataValue, RawOutput, RunContext
from pipelines.text.pictures import seen_pictures
from pipelines.text.threads import one_thread

NAMES = "labels.json"
"""The file with the name of each class."""
UNSURE = 0.15
"""Below this share the class is not named: it is then wrong more often than right."""
BORDER = 32
"""Pixels beside the square in the middle, which is what the network sees of a picture."""


class PictureLabels:
    """A sentence for each picture, or one for a film."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        loader = loader or WeightLoader(device)
        self.spec, self.device = spec, device
        self.dtype = getattr(torch, spec.dtype or "float32")
        self.names: list[str] = json.loads((weights / NAMES).read_text("utf-8"))
        tensors = loader.read([weights / "model.safetensors"], convert_floats_to(self.dtype))
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        with torch.device("meta"):
            net = EfficientNetLite0(len(self.names))
        refuse(weights.name, state_dict_mismatches(net, shapes))
        net.load_state_dict(tensors, strict=True, assign=True)
        self.net = loader.to_device(net.eval().requires_grad_(requires_grad=False))

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.net]

    @torch.inference_mode()
    def run(self, params: TextParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return the sentences, a line each; report after each. Raises `NotFinite`."""
        ctx.progress(0.0, "prepare")
        pictures, frames = seen_pictures(params, inputs)
        shown = [*((one,) for one in pictures), *([tuple(frames)] if frames else [])]
        lines = list[str]()
        for number, each in enumerate(shown, start=1):
            lines.append(self.answer(params, each))
            ctx.progress(number / len(shown), "step")
        text = "\n".join(lines)
        facts: dict[str, MetadataValue] = {
            "seed": ctx.seed,
            "input_tokens": 0,
            "output_tokens": 0,
            "finish_reason": "stop",
            "text": text,
        }
        return RawOutput(arrays={"text": np.frombuffer(text.encode(), np.uint8)}, metadata=facts)

    def answer(self, params: TextParams, pictures: Sequence[Image.Image]) -> str:
        """Return the sentence for what these pictures, RGB, show together. Raises `NotFinite`."""
        pixels = torch.stack([_square(one) for one in pictures]).to(self.device, self.dtype)
        with one_thread(self.device):
            shares = self.net(pixels).float().softmax(1).mean(0)
        if not torch.isfinite(shares).all():
            raise NotFinite("The model computed values that are not finite; it wrote no description.")
        share, name = float(shares.max()), self.names[int(shares.argmax())]
        article = "an" if name[0] in "aeiouAEIOU" else "a"
        what = f"probably {article} {name} ({share * 100:.0f} %)" if share >= UNSURE else "nothing that is recognized"
        return f"{what.capitalize()}, mainly {color_names(pictures)}."


def _square(picture: Image.Image) -> torch.Tensor:
    """Return the square in the middle of a picture, 3 x 224 x 224 in -1 to 1."""
    whole = ImageOps.fit(picture, (SIDE + BORDER, SIDE + BORDER), Image.Resampling.BICUBIC)
    square = ImageOps.crop(whole, BORDER // 2)
    return torch.from_numpy((np.asarray(square, np.float32) - 127) / 128).permute(2, 0, 1)
