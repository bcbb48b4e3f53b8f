"""LoRAs of the catalog on a diffusers pipeline: loaded once, switched per job."""

import re
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import nn

from core.errors.failures import ModelLoadFailed
from core.errors.fields import NotThisModel
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.sampling_settings import Adapters

_DOWN = re.compile(r"(lora_A|lora_down|lora\.down)(\.default)?\.weight$")
"""The first of the two matrices of every LoRA layer, by the names of the common trainers."""


def load_loras(pipe: Any, spec: ModelSpec, weights: Path) -> None:
    """Load every LoRA of `spec` from the folders beside `weights`, the model's own; all are off afterwards.

    Raises `ModelLoadFailed` for one with layers that match no module: diffusers only logs that.
    """
    folders = {bundle.key: bundle.directory(weights.parent) for bundle in spec.bundles}
    for name, lora in spec.loras.items():
        file = folders[f"{spec.id}+{name}"] / lora.file
        if file.suffix != ".safetensors" or not file.is_file():
            raise ModelLoadFailed(f"the LoRA {name!r} has no file {lora.file} in safetensors format")
        pipe.load_lora_weights(
            file.parent, weight_name=file.name, adapter_name=name, local_files_only=True, use_safetensors=True
        )
        there, placed = layers_in(file), layers_on(pipe, name)
        if there != placed or there == 0:
            raise ModelLoadFailed(f"the LoRA {name!r} does not fit: the model has {placed} of its {there} layers")
    use_loras(pipe, spec, ())


def schedulers(pipe: Any, spec: ModelSpec) -> dict[str | None, Any]:
    """Return the model's own scheduler under `None`, and each LoRA's scheduler under its name.

    Raises `ModelLoadFailed` for a value that this kind of scheduler does not have: diffusers only logs that.
    """
    own = pipe.scheduler
    made: dict[str | None, Any] = {None: own}
    for name, lora in spec.loras.items():
        unknown = sorted(lora.scheduler.keys() - own.config.keys())
        if unknown:
            raise ModelLoadFailed(f"the LoRA {name!r} sets {unknown[0]}, which {type(own).__name__} does not have")
        made[name] = type(own).from_config(own.config, **lora.scheduler) if lora.scheduler else own
    return made


def use_loras(pipe: Any, spec: ModelSpec, loras: Adapters) -> None:
    """Turn exactly these LoRAs on, each `weight` times its own scale; without any the pixels are the base model's.

    Raises `NotThisModel` for one that the pipeline does not have: the entry of the API may be another one.
    """
    for number, (name, _) in enumerate(loras):
        if name not in spec.loras and not layers_on(pipe, name):
            raise NotThisModel(f"{spec.id} has no LoRA {name!r} on this server.", field=f"$.loras[{number}].lora")
    if loras:
        scales = [weight * (spec.loras[name].scale if name in spec.loras else 1.0) for name, weight in loras]
        pipe.enable_lora()
        pipe.set_adapters([name for name, _ in loras], scales)
    elif spec.loras:
        pipe.disable_lora()


def scheduled(spec: ModelSpec, loras: Adapters) -> str | None:
    """Return the first of these LoRAs that was distilled on a schedule of its own, which the job has then."""
    return next((name for name, _ in loras if name in spec.loras and spec.loras[name].scheduler), None)


def layers_in(file: Path) -> int:
    """Return how many LoRA layers are in a file of safetensors."""
    with safe_open(file, framework="pt") as tensors:
        keys: list[str] = tensors.keys()
    return sum(bool(_DOWN.search(key)) for key in keys)


def layers_on(pipe: Any, name: str) -> int:
    """Return how many layers of a pipeline's modules have the LoRA of this name."""
    models = [part for part in pipe.components.values() if isinstance(part, nn.Module)]
    return sum(name in getattr(layer, "lora_A", ()) for model in models for layer in model.modules())
