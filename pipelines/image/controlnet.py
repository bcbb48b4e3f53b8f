"""ControlNets of the catalog: a network beside a model's own, and the pipeline of diffusers that uses both."""

import json
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import msgspec
import torch
from accelerate import init_empty_weights
from diffusers import (
    ControlNetUnionModel,
    StableDiffusionXLControlNetUnionPipeline,
    ZImageControlNetModel,
    ZImageControlNetPipeline,
)
from diffusers.loaders.single_file_utils import convert_z_image_controlnet_checkpoint_to_diffusers
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.state_dict_check import refuse, state_dict_mismatches
from pipelines.memory.weight_loader import WeightLoader, convert_floats_to

Tensors = dict[str, torch.Tensor]
Convert = Callable[[Tensors, dict[str, Any]], Tensors]
"""Function that gives the tensors of a published file the names of diffusers, by the configuration."""

CLASSES: dict[str, tuple[Any, Any, Convert]] = {
    "ZImagePipeline": (
        ZImageControlNetPipeline,
        ZImageControlNetModel,
        convert_z_image_controlnet_checkpoint_to_diffusers,
    ),
    "StableDiffusionXLPipeline": (
        StableDiffusionXLControlNetUnionPipeline,
        ControlNetUnionModel,
        lambda tensors, config: tensors,
    ),
}
"""The pipeline and the network that steer the pipeline of this name."""


class Controlled(msgspec.Struct, frozen=True):
    """A pipeline with a ControlNet, and those modules of it that the pipeline without one does not have."""

    pipe: Any
    modules: list[nn.Module]


def load_controlnet(pipe: Any, spec: ModelSpec, weights: Path, dtype: torch.dtype, loader: WeightLoader) -> Controlled:
    """Load the ControlNet of `spec` from its folder beside `weights`, and return `pipe` with it.

    Both pipelines have the same components, so that no weight is in memory twice.

    Raises `ModelLoadFailed` for a pipeline that has no ControlNet here, a file that is missing, and tensors that do not
    fit the configuration.
    """
    assert spec.controlnet is not None, "the caller asks for a model with one"
    if type(pipe).__name__ not in CLASSES:
        raise ModelLoadFailed(f"{type(pipe).__name__} follows no control picture; remove `controlnet`.")
    controlled, class_, convert = CLASSES[type(pipe).__name__]
    (folder,) = (each.directory(weights.parent) for each in spec.bundles if each.key == f"{spec.id}+controlnet")
    file = folder / spec.controlnet.file
    if file.suffix != ".safetensors" or not file.is_file():
        raise ModelLoadFailed(f"the ControlNet of {spec.id} has no file {file.name} in safetensors format.")
    config = spec.controlnet.config or json.loads((file.parent / "config.json").read_text())
    with init_empty_weights():
        network = class_.from_config(config).to(dtype)
    tensors = convert(loader.read([file], convert_floats_to(dtype), as_mapped=True), network.config)
    refuse(file.name, state_dict_mismatches(network, {name: tuple(each.shape) for name, each in tensors.items()}))
    network.load_state_dict(tensors, assign=True)
    network = loader.to_device(network.eval())
    # Z-Image's pipeline makes modules of the transformer those of the network, too.
    own = [*network.children()] if class_ is ZImageControlNetModel else [network]
    parts = {**pipe.components, "controlnet": network}
    names = signature(controlled.__init__).parameters
    settings = {name: pipe.config[name] for name in names if name not in parts and name in pipe.config}
    made = controlled(**{name: part for name, part in parts.items() if name in names}, **settings)
    made.set_progress_bar_config(disable=True)
    return Controlled(made, own)
