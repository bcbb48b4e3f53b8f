"""Any diffusers directory as a pipeline, complete or refused.

Each model of the directory is loaded by itself first (`component`). diffusers then builds the pipeline from those
models and the rest of the directory.
"""

import logging
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import diffusers
import torch
import transformers
from diffusers import AutoencoderKLWan, Cosmos3OmniPipeline, DiffusionPipeline, ModelMixin, WanPipeline
from transformers import PreTrainedModel, Qwen2_5_VLProcessor, Qwen2VLProcessor

from core.errors.failures import ModelLoadFailed
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.compilation import DENOISERS
from pipelines.diffusion.component import load_component
from pipelines.diffusion.qwen_processor import load_processor
from pipelines.memory.block_offload import offload_blocks
from pipelines.memory.float8 import TRANSFORMERS
from pipelines.memory.weight_loader import WeightLoader

logging.getLogger("diffusers.pipelines.pipeline_loading_utils").setLevel(
    logging.ERROR
)  # prints parts of `_PIPELINES_OWN`

_QWEN_PROCESSORS = (Qwen2VLProcessor, Qwen2_5_VLProcessor)
_PIPELINES_OWN = ("ace_step",)
"""Folders of diffusers with a pipeline and parts of its own, as `model_index.json` names them."""
_GUARDED = ("Cosmos3OmniPipeline",)
"""Pipelines that would fetch a guardrail of their own at their first start, unless it is switched off."""
_RENAMED: dict[str, Any] = {"WanDMDPipeline": WanPipeline, "Cosmos3OmniDiffusersPipeline": Cosmos3OmniPipeline}
"""Pipelines by the names that others than diffusers publish them under."""
_FULL_PRECISION = (AutoencoderKLWan,)
"""Models that are always loaded in float32: Wan's autoencoder is published so, and bfloat16 shows in its output."""


def loader_for(spec: ModelSpec, device: str, loader: WeightLoader | None) -> WeightLoader:
    """Return the loader of a family: the engine's, its own, or one into host memory for a model that does not fit."""
    if spec.offload_blocks:
        return WeightLoader("cpu")
    return loader or WeightLoader(device)


def load_diffusers(directory: Path, dtype: torch.dtype, loader: WeightLoader, spec: ModelSpec) -> Any:
    """Load the pipeline that `model_index.json` names, in `dtype` on the loader's device, from local safetensors.

    `spec` says which variant of the files, and in which quantization the transformer's blocks.

    Raises `ModelLoadFailed`, which names the component, when tensors are missing or have other shapes than the
    configuration says, and any error of the libraries for a directory that they cannot read.
    """
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    found = classes(directory)
    if spec.quantization and not found.keys() & set(TRANSFORMERS):
        raise ModelLoadFailed("This model has no transformer; remove `quantization`.")
    parts: dict[str, Any] = {
        name: _load_part(directory / name, class_, dtype, loader, spec) for name, class_ in found.items()
    }
    name = _index(directory).get("_class_name", "")
    class_ = _RENAMED.get(name, DiffusionPipeline)
    if name in _GUARDED or class_.__name__ in _GUARDED:
        parts["enable_safety_checker"] = False
    pipe: Any = class_.from_pretrained(
        directory, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False, **parts
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(loader.device)


def resident_modules(pipe: Any, device: str, *, are_blocks_offloaded: bool) -> list[torch.nn.Module]:
    """Return the modules of a pipeline whose weights stay on `device` between its steps.

    They are all of them, unless its blocks are offloaded: then the blocks of its denoisers and text encoders are not
    among them (`pipelines.memory.block_offload`), and what is returned comes to the device now.
    """
    if not are_blocks_offloaded:
        return torch_modules(pipe)
    found = list[torch.nn.Module]()
    for name, part in pipe.components.items():
        if not isinstance(part, torch.nn.Module):
            continue
        is_large = name in DENOISERS or name.startswith("text_encoder")
        found.append(offload_blocks(part, device) if is_large else part.to(device))
    return found


def torch_modules(pipe: Any) -> list[torch.nn.Module]:
    """Return the torch modules of a pipeline."""
    return [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]


def classes(directory: Path) -> dict[str, type[Any]]:
    """Return the components of `model_index.json` that are loaded here, with their classes.

    They are all components with weights, and Qwen-VL's processor.
    """
    found = {}
    for name, entry in _index(directory).items():
        if isinstance(entry, list | tuple) and len(entry) == 2 and (library := _library(entry[0])) is not None:
            class_ = getattr(library, entry[1], None)
            if isinstance(class_, type) and issubclass(class_, (ModelMixin, PreTrainedModel, *_QWEN_PROCESSORS)):
                found[name] = class_
    return found


def _index(directory: Path) -> dict[str, Any]:
    index: dict[str, Any] = DiffusionPipeline.load_config(directory, local_files_only=True)
    return index


def _library(name: str | None) -> ModuleType | None:
    """Return the library of a component; diffusers has some parts beside the pipeline that they belong to."""
    if name in ("diffusers", "transformers"):
        return import_module(name)
    return import_module(f"diffusers.pipelines.{name}") if name in _PIPELINES_OWN else None


def _load_part(folder: Path, class_: type[Any], dtype: torch.dtype, loader: WeightLoader, spec: ModelSpec) -> Any:
    if issubclass(class_, _QWEN_PROCESSORS):
        return load_processor(folder)
    # Each model leaves host memory, unless it is kept there, before the next one is read: together they can be
    # larger than it.
    precision = torch.float32 if issubclass(class_, _FULL_PRECISION) else dtype
    has_variant = spec.variant is not None and any(folder.glob(f"*.{spec.variant}*"))
    return load_component(
        folder,
        class_,
        precision,
        loader,
        variant=spec.variant if has_variant else None,
        quantization=spec.quantization if folder.name in TRANSFORMERS else None,
    )
