"""Wan-Animate-2 from a local copy of its repository, complete or refused.

`modular_model_index.json` says of each part which repository it is from, and diffusers would ask the hub for one whose
files it does not find. Here the index says what the parts are, and where in this folder; no other place is looked at.
"""

import json
import logging
from inspect import signature
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import (
    AutoencoderKLWan,
    SchedulerMixin,
    WanAnimate2Blocks,
    WanAnimate2DistilledBlocks,
    WanAnimate2Transformer3DModel,
)
from diffusers.modular_pipelines.wan_animate_2 import denoise
from transformers import AutoTokenizer, CLIPVisionModel, UMT5EncoderModel

from core.errors.failures import ModelLoadFailed
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.component import load_component
from pipelines.memory.weight_loader import WeightLoader

INDEX = "modular_model_index.json"
BLOCKS: dict[str, Any] = {
    "WanAnimate2ModularPipeline": WanAnimate2Blocks,
    "WanAnimate2DistilledModularPipeline": WanAnimate2DistilledBlocks,
}
"""What the pipelines of this family are made of, by the names in the index."""

logging.getLogger("diffusers.modular_pipelines.modular_pipeline").setLevel(
    logging.CRITICAL
)  # writes the trace of every error, also of a job that was cancelled
logging.getLogger("diffusers.guiders.guider_utils").setLevel(logging.ERROR)  # says of each guider that it may change
denoise.tqdm = diffusers.utils.logging.tqdm  # type: ignore[attr-defined]  # one with a switch


def load_animate(directory: Path, dtype: torch.dtype, loader: WeightLoader, spec: ModelSpec) -> Any:
    """Load the pipeline in `dtype`, its autoencoder in float32, on the loader's device, from local safetensors.

    Raises `ModelLoadFailed` for another pipeline, for a part that is not here, and for one that lacks tensors or has
    others than its configuration says; and any error of the libraries for a folder that they cannot read.
    """
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    index = read_index(directory)
    pipe: Any = BLOCKS[index["_class_name"]]().init_pipeline()

    def model(name: str, class_: type[Any], precision: torch.dtype = dtype, **how: Any) -> Any:
        return load_component(part_folder(directory, index, name), class_, precision, loader, **how)

    tokenizer: Any = AutoTokenizer.from_pretrained(
        part_folder(directory, index, "tokenizer"), local_files_only=True, trust_remote_code=False
    )
    pipe.update_components(
        text_encoder=model("text_encoder", UMT5EncoderModel),
        tokenizer=tokenizer,
        image_encoder=model("image_encoder", CLIPVisionModel),
        vae=model("vae", AutoencoderKLWan, torch.float32),
        transformer=model("transformer", WanAnimate2Transformer3DModel, quantization=spec.quantization),
        scheduler=_scheduler(directory, index),
    )
    return pipe


def read_index(directory: Path) -> dict[str, Any]:
    """Return the index of a pipeline of this family. Raises `ModelLoadFailed`."""
    if not (directory / INDEX).is_file():
        raise ModelLoadFailed(f"{directory.name} has no {INDEX}, as modular pipelines of diffusers do.")
    index: dict[str, Any] = json.loads((directory / INDEX).read_text("utf-8"))
    if index.get("_class_name") not in BLOCKS:
        raise ModelLoadFailed(f"{index.get('_class_name')} is not a pipeline of this family.")
    return index


def part_folder(directory: Path, index: dict[str, Any], name: str) -> Path:
    """Return the folder of a part within `directory`, whichever repository the index has it in.

    Raises `ModelLoadFailed`, which names that repository, where it is not here.
    """
    said = _said(index, name)
    folder = (directory / (said.get("subfolder") or name)).resolve()
    if not folder.is_relative_to(directory.resolve()) or not folder.is_dir():
        place = said.get("pretrained_model_name_or_path")
        raise ModelLoadFailed(f"{name} is not in the model's folder; {INDEX} has it in {place}: copy it from there.")
    return folder


def _said(index: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what the index says of a part: the third of library, class, and where it is from."""
    entry = index.get(name)
    if not (isinstance(entry, list) and len(entry) == 3 and isinstance(entry[2], dict)):
        raise ModelLoadFailed(f"{INDEX} has no {name}.")
    return entry[2]


def _scheduler(directory: Path, index: dict[str, Any]) -> Any:
    named = (_said(index, "scheduler").get("type_hint") or [None, None])[1] or index["scheduler"][1]
    class_: Any = getattr(diffusers, str(named), None)
    if not (isinstance(class_, type) and issubclass(class_, SchedulerMixin)):
        raise ModelLoadFailed(f"{named} is not a scheduler of diffusers.")
    if "generator" not in signature(class_.step).parameters:
        raise ModelLoadFailed(f"{named} makes steps without a generator, which this pipeline gives it.")
    folder = part_folder(directory, index, "scheduler")
    return class_.from_pretrained(folder, local_files_only=True)  # type: ignore[no-untyped-call]
