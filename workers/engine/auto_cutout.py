"""Background removal ahead of another model: the cut-outs of a job's images. NumPy and Pillow; no torch."""

from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from jobs.params.cutout import CutoutParams
from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import Inputs, Pipeline, RunContext

FIELD = "image_url"
"""The name of the image input of background removal."""
SHARE = 0.1
"""The share of a job's progress that its cut-outs are."""


def find_opaque(inputs: Inputs) -> dict[str, Path]:
    """Return the inputs that are images without transparency."""
    return {name: file for name, file in inputs.files.items() if file.suffix == ".png" and _is_opaque(file)}


def cut_out(remover: Pipeline, images: dict[str, Path], folder: Path, ctx: RunContext) -> dict[str, Path]:
    """Remove the background of the images; return them as PNG files in `folder`.

    Raises what `ctx.progress` and the remover raise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cutouts = dict[str, Path]()
    context = RunContext(
        seed=ctx.seed,
        progress=lambda fraction, stage: ctx.progress(SHARE * fraction, "prepare"),
        warn=lambda text: None,
    )
    for name, file in images.items():
        raw = remover.run(CutoutParams(image_url=name), Inputs({FIELD: file}), context)
        cutouts[name] = folder / f"{name}.png"
        Image.fromarray(np.asarray(raw.arrays["0"])).save(cutouts[name], compress_level=1)
    return cutouts


def after_cutouts(ctx: RunContext) -> RunContext:
    """Return the context of the model after the cut-outs, whose progress is the rest."""

    def progress(fraction: float, stage: Stage) -> None:
        ctx.progress(SHARE + (1 - SHARE) * fraction, stage)

    return msgspec.structs.replace(ctx, progress=progress)


def _is_opaque(file: Path) -> bool:
    with Image.open(file, formats=["PNG"]) as image:
        if not image.has_transparency_data:
            return True
        lowest, _ = image.convert("RGBA").getchannel("A").getextrema()
    return lowest == 255
