"""The family `brand-kit`: a picture as it is, on which the encoder puts a logo or a palette. No weights, no GPU."""

from pathlib import Path

import numpy as np
from PIL import Image

from jobs.params.branding import BrandingParams
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext


class BrandKit:
    """Reads the picture."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: BrandingParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return the picture, RGB or RGBA."""
        ctx.progress(0.1, "step")
        with Image.open(inputs.files["input_image"], formats=["PNG"]) as picture:
            pixels = np.asarray(picture.convert("RGBA" if picture.has_transparency_data else "RGB"))
        ctx.progress(0.9, "decode")
        return RawOutput(arrays={"0": pixels}, metadata={"seed": ctx.seed})
