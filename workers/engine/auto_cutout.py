"""Background removal before another model looks: the cut-outs of a job's pictures. NumPy and Pillow; no torch."""

from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from jobs.params.cutout import CutoutParams
from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import Inputs, Pipeline, RunContext

FIELD = "image_url"
"""What background removal calls its picture."""
SHARE = 0.1
"""Of a job's progress, what the cut-outs of its pictures are."""


def opaque(inputs: Inputs) -> dict[str, Path]:
    """The inputs that are pictures in which nothing is transparent."""
    return {name: file for name, file in inputs.files.items() if file.suffix == ".png" and _is_opaque(file)}


def cut_out(remover: Pipeline, pictures: dict[str, Path], folder: Path, ctx: RunContext) -> dict[str, Path]:
    """The same pictures with their background removed, as PNG files in `folder`.

    Raises what `ctx.progress` and the remover raise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = dict[str, Path]()
    context = RunContext(
        seed=ctx.seed,
        progress=lambda fraction, stage: ctx.progress(SHARE * fraction, "prepare"),
        warn=lambda text: None,
    )
    for name, file in pictures.items():
        raw = remover.run(CutoutParams(image_url=name), Inputs({FIELD: file}), context)
        made[name] = folder / f"{name}.png"
        Image.fromarray(np.asarray(raw.arrays["0"])).save(made[name], compress_level=1)
    return made


def after_cutting(ctx: RunContext) -> RunContext:
    """The context of what comes after the cut-outs: its progress is the rest."""

    def progress(fraction: float, stage: Stage) -> None:
        ctx.progress(SHARE + (1 - SHARE) * fraction, stage)

    return msgspec.structs.replace(ctx, progress=progress)


def _is_opaque(file: Path) -> bool:
    with Image.open(file, formats=["PNG"]) as picture:
        if not picture.has_transparency_data:
            return True
        lowest, _ = picture.convert("RGBA").getchannel("A").getextrema()
    return lowest == 255
