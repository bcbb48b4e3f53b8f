"""Any diffusers directory as a pipeline, whole or not at all.

Every model of the directory is loaded by itself first (`component`); the pipeline is then put together by
diffusers from those models and the rest of the directory.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import AutoencoderKLWan, DiffusionPipeline, ModelMixin
from transformers import PreTrainedModel, Qwen2_5_VLProcessor, Qwen2VLProcessor

from pipelines.diffusion.component import load_component
from pipelines.diffusion.qwen_processor import load_processor
from pipelines.memory.weight_loader import WeightLoader

_QWEN_PROCESSORS = (Qwen2VLProcessor, Qwen2_5_VLProcessor)
_FULL_PRECISION = (AutoencoderKLWan,)
"""Models that are loaded in float32 whatever the others are: Wan's autoencoder is published so, and bfloat16 shows."""


def load_diffusers(directory: Path, dtype: torch.dtype, intake: WeightLoader, variant: str | None = None) -> Any:
    """The pipeline that `model_index.json` names, in `dtype` on the intake's device, from local safetensors only.

    Raises `ModelLoadFailed` that names the component when tensors are missing or have other shapes than its
    configuration says, and whatever the libraries raise for a directory they can not read.
    """
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    parts = {
        name: _load_part(directory / name, class_, dtype, intake, variant)
        for name, class_ in classes(directory).items()
    }
    pipe: Any = DiffusionPipeline.from_pretrained(
        directory, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False, **parts
    )  # type: ignore[no-untyped-call]
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(intake.device)


def torch_modules(pipe: Any) -> list[torch.nn.Module]:
    """The models of a pipeline."""
    return [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]


def classes(directory: Path) -> dict[str, type[Any]]:
    """The components of `model_index.json` that are loaded here, with their classes: all that have weights, and
    Qwen-VL's processor.
    """
    index = DiffusionPipeline.load_config(directory, local_files_only=True)
    found = {}
    for name, entry in index.items():
        if isinstance(entry, list | tuple) and len(entry) == 2 and entry[0] in ("diffusers", "transformers"):
            class_ = getattr(import_module(entry[0]), entry[1], None)
            if isinstance(class_, type) and issubclass(class_, (ModelMixin, PreTrainedModel, *_QWEN_PROCESSORS)):
                found[name] = class_
    return found


def _load_part(folder: Path, class_: type[Any], dtype: torch.dtype, intake: WeightLoader, variant: str | None) -> Any:
    if issubclass(class_, _QWEN_PROCESSORS):
        return load_processor(folder)
    # Each model leaves the machine's memory, if it is not kept there, before the next comes: together they can be
    # larger than it.
    precision = torch.float32 if issubclass(class_, _FULL_PRECISION) else dtype
    has_variant = variant is not None and any(folder.glob(f"*.{variant}*"))
    return load_component(folder, class_, precision, intake, variant=variant if has_variant else None)
