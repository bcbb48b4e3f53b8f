"""Weights of the published folders, complete or refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
from torch import nn
from transformers import BitImageProcessorPil, Dinov2Model

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.component import load_component
from pipelines.diffusion.state_dict_check import refuse, state_dict_mismatches
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.torch_errors import is_device_fault, is_out_of_memory

WEIGHTS = "diffusion_pytorch_model.safetensors"

M = TypeVar("M", bound=nn.Module)


def load_module(
    build: Callable[[], M], file: Path, loader: WeightLoader, dtype: torch.dtype, unused: tuple[str, ...] = ()
) -> M:
    """Return the module of `build` with the tensors of a safetensors file, on the loader's device in `dtype`.

    It is ready for inference. Tensors whose names begin with one of `unused` are not read. Raises `ModelLoadFailed`.
    """
    with torch.device("meta"):
        module = build()
    tensors = loader.read([file], lambda name, _: None if name.startswith(unused) else dtype)
    refuse(
        file.parent.name, state_dict_mismatches(module, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    )
    module.load_state_dict(tensors, strict=True, assign=True)
    return loader.to_device(module.eval().requires_grad_(requires_grad=False))


def load_image_encoder(folder: Path, loader: WeightLoader, dtype: torch.dtype) -> Dinov2Model:
    """Load DINOv2 through transformers, which maps the old names of the published tensors to its own.

    Raises `ModelLoadFailed`.
    """
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        encoder = load_component(folder, Dinov2Model, dtype, loader, allow_unexpected=False)
    except (OSError, RuntimeError, ValueError) as error:
        if is_out_of_memory(error) or is_device_fault(error):
            raise
        raise ModelLoadFailed(f"{folder.name} could not be loaded ({type(error).__name__}).") from error
    found: Dinov2Model = encoder.requires_grad_(requires_grad=False)
    return found


def load_processor(folder: Path) -> Any:
    """Load the preprocessor of the encoder's input, which resizes, crops and normalizes with Pillow and NumPy."""
    try:
        return BitImageProcessorPil.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise ModelLoadFailed(f"{folder.name}/preprocessor_config.json could not be read.") from error
