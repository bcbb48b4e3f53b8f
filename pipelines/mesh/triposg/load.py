"""Weights of the published folders, whole or not at all.

A tensor too few, too many or of another shape is an error that names it: nothing is filled with random numbers.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import BitImageProcessorPil, Dinov2Model

from jobs.errors import ModelLoadFailed
from pipelines.faults import is_device_fault, is_out_of_memory

WEIGHTS = "diffusion_pytorch_model.safetensors"

M = TypeVar("M", bound=nn.Module)


def load_module(build: Callable[[], M], file: Path, device: str, dtype: torch.dtype, unused: tuple[str, ...] = ()) -> M:
    """What `build` makes, with the tensors of a safetensors file, on `device` in `dtype`, ready to infer.

    Tensors whose names begin with one of `unused` are left in the file. Raises `ModelLoadFailed`.
    """
    with torch.device("meta"):
        module = build()
    folder = file.parent.name
    try:
        with safe_open(file, framework="pt") as stored:
            shapes = {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
            refuse_misfit(module, shapes, folder, unused)
            tensors = {name: stored.get_tensor(name).to(device, dtype) for name in module.state_dict()}
    except (OSError, SafetensorError) as error:
        raise ModelLoadFailed(f"{folder}/{file.name} is missing, or no whole safetensors file.") from error
    module.load_state_dict(tensors, strict=True, assign=True)
    return module.eval().requires_grad_(requires_grad=False)


def refuse_misfit(
    module: nn.Module, shapes: Mapping[str, tuple[int, ...]], folder: str, unused: tuple[str, ...] = ()
) -> None:
    """Raise `ModelLoadFailed` unless the stored `shapes` are those of `module`: none missing, unexpected or other."""
    stored = {name: shape for name, shape in shapes.items() if not name.startswith(unused)}
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    faults = {
        "missing": wanted.keys() - stored.keys(),
        "unexpected": stored.keys() - wanted.keys(),
        "of another shape": {name for name in wanted.keys() & stored.keys() if wanted[name] != stored[name]},
    }
    _refuse(folder, faults)


def load_image_encoder(folder: Path, device: str, dtype: torch.dtype) -> Dinov2Model:
    """DINOv2 through transformers, which maps the old names of the published tensors to its own.

    Raises `ModelLoadFailed`.
    """
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded: Any = Dinov2Model.from_pretrained(
            folder,
            dtype=dtype,
            device_map=device,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, RuntimeError, SafetensorError, ValueError) as error:
        if is_out_of_memory(error) or is_device_fault(error):
            raise
        raise ModelLoadFailed(f"{folder.name} could not be loaded ({type(error).__name__}).") from error
    encoder, report = loaded
    _refuse(folder.name, {fault.removesuffix("_keys"): names for fault, names in report.items()})
    found: Dinov2Model = encoder.eval().requires_grad_(requires_grad=False)
    return found


def load_processor(folder: Path) -> Any:
    """How a picture becomes the encoder's input: resized, cropped and normalised by Pillow and NumPy."""
    try:
        return BitImageProcessorPil.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise ModelLoadFailed(f"{folder.name}/preprocessor_config.json could not be read.") from error


def _refuse(folder: str, faults: Mapping[str, Any]) -> None:
    for fault, names in faults.items():
        if names:
            first = sorted(map(str, names))[0]
            raise ModelLoadFailed(
                f"{folder} does not fit its configuration: {len(names)} tensors are {fault}, the first is {first}."
            )
