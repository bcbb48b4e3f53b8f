"""Runs of the family `diffusers-image` on tiny checkpoints, and the same by diffusers alone."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    DiffusionPipeline,
    Flux2KleinInpaintPipeline,
)
from numpy.typing import NDArray
from PIL import Image

from jobs.params.image import ImageParams
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.diffusion.qwen_processor import load_processor
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, Pipeline, RawOutput, RunContext
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints.specs import spec

PROMPT = "a red apple"
SIZE = {"width": 64, "height": 64}
STEPS = 3
CHANGES: dict[str, dict[str, Any]] = {
    "flux2klein": {"capabilities": ["text-to-image", "references", "mask"], "limits": {"max_references": 4}},
    "zimage": {"capabilities": ["text-to-image", "image-to-image", "mask"]},
    "sdxl": {"capabilities": ["text-to-image", "image-to-image", "mask", "negative-prompt"]},
    "qwenimage": {
        "capabilities": ["text-to-image", "image-to-image", "mask", "negative-prompt"],
        "defaults": {"guidance_scale": 4.0},
    },
    "qwenedit": {
        "capabilities": ["references", "negative-prompt"],
        "limits": {"max_references": 3},
        "defaults": {"guidance_scale": 4.0},
    },
}
"""What the catalog says of each, where that is not the entry of `specs`."""
USUAL: dict[str, dict[str, Any]] = {
    "qwenimage": {"true_cfg_scale": 4.0, "negative_prompt": " "},
    "qwenedit": {"true_cfg_scale": 4.0, "negative_prompt": " "},
}
"""The same defaults in the words of diffusers."""


def model(name: str, **changes: Any) -> ModelSpec:
    return spec(id=name, source={"path": name}, **(CHANGES.get(name, {}) | changes))


def loaded(name: str, weights_dir: Path, **changes: Any) -> Pipeline:
    """The model from its folder below `weights_dir`, with its LoRAs, all of it locked as it is."""
    entry = model(name, **changes)
    lock = Lock({bundle.key: lock_directory(bundle, bundle.directory(weights_dir)) for bundle in entry.bundles})
    return load(entry, weights_dir, lock, "cpu")


def context(seed: int = 1, log: list[tuple[float, Stage]] | None = None) -> RunContext:
    reports = [] if log is None else log
    return RunContext(seed=seed, progress=lambda part, stage: reports.append((part, stage)), warn=lambda text: None)


def asked(**params: Any) -> ImageParams:
    return ImageParams(prompt=PROMPT, **{"num_inference_steps": STEPS, **SIZE, **params})


def run(pipeline: Pipeline, seed: int = 1, inputs: Inputs | None = None, **params: Any) -> RawOutput:
    return pipeline.run(asked(**params), inputs or Inputs(), context(seed))


def image(pipeline: Pipeline, seed: int = 1, inputs: Inputs | None = None, **params: Any) -> NDArray[np.uint8]:
    """The only image of a run."""
    (found,) = run(pipeline, seed, inputs, **params).arrays.values()
    return found


def repainted(
    folder: Path, picture: Image.Image, mask: Image.Image, seed: int = 1, **arguments: Any
) -> NDArray[np.uint8]:
    """The same with the pipeline that repaints what is white in the mask of a picture."""
    kind: Any = Flux2KleinInpaintPipeline if folder.name == "flux2klein" else AutoPipelineForInpainting
    pipe = kind.from_pretrained(folder, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    call = {"prompt": PROMPT, "num_inference_steps": STEPS, **SIZE, **USUAL.get(folder.name, {}), **arguments}
    generator = torch.Generator().manual_seed(seed)
    return np.asarray(pipe(image=picture, mask_image=mask, generator=generator, **call).images[0])


def white(box: tuple[int, int, int, int], size: tuple[int, int] = (64, 64)) -> Image.Image:
    """The mask of diffusers: black but for a box."""
    mask = Image.new("L", size, 0)
    mask.paste(255, box)
    return mask


def transparent(box: tuple[int, int, int, int] | None, size: tuple[int, int] = (64, 64)) -> Image.Image:
    """A mask: opaque but for a box."""
    mask = Image.new("RGBA", size, (0, 0, 0, 255))
    if box is not None:
        mask.paste((0, 0, 0, 0), box)
    return mask


def save_image(file: Path, width: int, height: int, seed: int = 0, mode: str = "RGB") -> Path:
    """Colored noise as a PNG."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, len(mode)), np.uint8)
    Image.fromarray(values, mode).save(file)
    return file


@cache
def alone(folder: Path, dtype: torch.dtype = torch.float32, variant: str | None = None) -> Any:
    """The pipeline as anybody would load it."""
    # diffusers makes Qwen-VL's processor with torchvision only
    parts = {"processor": load_processor(folder / "processor")} if (folder / "processor").is_dir() else {}
    pipe = DiffusionPipeline.from_pretrained(folder, dtype=dtype, variant=variant, **parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def directly(folder: Path, seed: int = 1, pipe: Any = None, **arguments: Any) -> NDArray[np.uint8]:
    """The image as diffusers makes it directly; `pipe` replaces the pipeline of `folder`."""
    call = {"prompt": PROMPT, "num_inference_steps": STEPS, **SIZE, **USUAL.get(folder.name, {}), **arguments}
    generator = torch.Generator().manual_seed(seed)
    return np.asarray((pipe or alone(folder))(generator=generator, **call).images[0])


def from_image(folder: Path, seed: int = 1, dtype: torch.dtype = torch.float32, **arguments: Any) -> NDArray[np.uint8]:
    """The same with the pipeline that starts from an image, loaded by itself."""
    pipe = AutoPipelineForImage2Image.from_pretrained(folder, dtype=dtype)
    pipe.set_progress_bar_config(disable=True)
    call = {"num_inference_steps": STEPS, **USUAL.get(folder.name, {}), **arguments}
    generator = torch.Generator().manual_seed(seed)
    return np.asarray(pipe(prompt=PROMPT, generator=generator, **call).images[0])
