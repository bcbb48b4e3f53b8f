"""The family `cutout-parts`: each part of a photo's foreground as a segment, by a session that removes backgrounds.

It has no words for what it finds: every segment is a `thing`.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, label  # type: ignore[import-untyped]

from core.errors.failures import ModelLoadFailed
from jobs.params.cutout import SegmentParams
from pipelines.catalog.spec import ModelSpec
from pipelines.cutout.arrays import Pixels
from pipelines.cutout.film import SOLID
from pipelines.cutout.refine import GAP
from pipelines.cutout.sessions import DEMO, open_session
from pipelines.image.flatten import flatten_on_white
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.segment.segments import Found, output_of

THING = "thing"
SIDE = 256
"""Pixels, of the square in which parts are separated."""
LEAST = 0.01
"""Parts of a smaller share of the foreground are specks."""
THRESHOLD = 0.5
NAMES_NOTHING = "{model} tells things from the background, without words for them: every segment is a `{label}`."


class CutoutParts:
    """Finds the connected parts of the foreground; the score of each is the mean opacity of its pixels."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        files = sorted(weights.glob("*.onnx"))
        if len(files) != 1:
            raise ModelLoadFailed(f"The folder must hold one .onnx file; it holds {len(files)}.")
        self.spec = spec
        self.session = open_session(DEMO, files[0], device, spec.vram_bytes)

    def run(self, params: SegmentParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return the segments as `output_of` does."""
        ctx.progress(0.0, "prepare")
        with Image.open(inputs.files["input_image"], formats=("PNG",)) as opened:
            picture = flatten_on_white(opened)
        ctx.progress(0.1, "step")
        matte = np.asarray(self.session.predict(picture)[0])
        ctx.progress(0.8, "decode")
        parts, count = _parts(matte)
        areas = np.bincount(parts.ravel(), minlength=count + 1)[1:]
        scores = np.bincount(parts.ravel(), matte.ravel(), count + 1)[1:] / np.maximum(areas, 1) / 255
        bound = THRESHOLD if params.threshold is None else params.threshold
        kept = np.nonzero((areas >= LEAST * areas.sum()) & (scores >= bound))[0] if count else np.array([], int)
        numbers = np.full(count + 1, -1)
        numbers[kept + 1] = np.arange(len(kept))
        found = [Found(THING, float(scores[index])) for index in kept]
        said = NAMES_NOTHING.format(model=self.spec.id, label=THING)
        return output_of(picture, numbers[parts], found, params, ctx, [said])


def _parts(matte: Pixels) -> tuple[NDArray[np.int32], int]:
    """Return the number of each pixel's part of a matte, 0 for none, and how many there are.

    Parts are one across a small gap, as they are to the session.
    """
    small = np.asarray(Image.fromarray(matte).resize((SIDE, SIDE), Image.Resampling.BOX))
    near, count = label(binary_dilation(small >= SOLID, iterations=GAP))
    height, width = matte.shape
    large = Image.fromarray(near.astype(np.int32)).resize((width, height), Image.Resampling.NEAREST)
    return np.where(matte >= SOLID, np.asarray(large), 0), count
