"""LoRAs of the catalog on a diffusers pipeline: loaded once, switched per job; and schedules of distilled models."""

import re
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from safetensors import safe_open
from torch import nn

from core.errors.failures import ModelLoadFailed
from core.errors.fields import NotThisModel
from pipelines.catalog.spec import Lora, ModelSpec, Schedule
from pipelines.diffusion.sampling_settings import Adapters

Noise = Literal["high", "low"]
INTO: dict[Noise, dict[str, bool]] = {"high": {}, "low": {"load_into_transformer_2": True}}
"""Arguments of `load_lora_weights` for a pipeline's transformer: the only one or that for much noise, and that for
little."""

_DOWN = re.compile(r"(lora_A|lora_down|lora\.down)(\.default)?\.weight$")
"""The first of the two matrices of every LoRA layer, by the names of the common trainers."""


class FixedSchedule(FlowMatchEulerDiscreteScheduler):
    """Steps through the sigmas of a `Schedule`, whatever number of steps a pipeline asks for.

    Wan's pipelines give no generator to a step, so that of the run is put into `generator`. Latents keep their
    precision: diffusers would round them to that of the transformer after each step.
    """

    def __init__(self, schedule: Schedule, num_train_timesteps: int) -> None:
        super().__init__(num_train_timesteps=num_train_timesteps, stochastic_sampling=schedule.stochastic)  # type: ignore[no-untyped-call]
        self.given = list(schedule.sigmas)
        self.generator: torch.Generator | None = None

    def set_timesteps(self, num_inference_steps: int | None = None, device: Any = None, **_: Any) -> None:
        """Set the steps: those that are given."""
        super().set_timesteps(sigmas=self.given, device=device)  # type: ignore[misc]

    def step(self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, **options: Any) -> Any:
        """Make a step; see the class of diffusers."""
        options = {"generator": self.generator} | options
        return super().step(model_output.to(sample.dtype), timestep, sample, **options)  # type: ignore[misc]


def load_loras(pipe: Any, spec: ModelSpec, weights: Path) -> None:
    """Load every LoRA of `spec` from the folders beside `weights`, the model's own; all are off afterwards.

    Raises `ModelLoadFailed` for one with layers that match no module: diffusers only logs that.
    """
    folders = {bundle.key: bundle.directory(weights.parent) for bundle in spec.bundles}
    for name, lora in spec.loras.items():
        files = {noise: folders[f"{spec.id}+{name}"] / path for noise, path in _files(pipe, lora).items()}
        for noise, file in files.items():
            if file.suffix != ".safetensors" or not file.is_file():
                raise ModelLoadFailed(f"the LoRA {name!r} has no file {file.name} in safetensors format")
            local = {"weight_name": file.name, "local_files_only": True, "use_safetensors": True}
            pipe.load_lora_weights(file.parent, adapter_name=name, **local, **INTO[noise])
        there, placed = sum(map(layers_in, files.values())), layers_on(pipe, name)
        if there != placed or there == 0:
            raise ModelLoadFailed(f"the LoRA {name!r} does not fit: the model has {placed} of its {there} layers")
    use_loras(pipe, spec, ())


def transformers(pipe: Any) -> tuple[Noise, ...]:
    """Return which transformers of a pipeline take a LoRA: the one for much noise, and the one for little, if any."""
    return ("high",) if getattr(pipe, "transformer_2", None) is None else ("high", "low")


def _files(pipe: Any, lora: Lora) -> dict[Noise, str]:
    """Return the file for each transformer. Raises `ModelLoadFailed` for one of a transformer that is not there."""
    able = transformers(pipe)
    if lora.low_noise_file is not None and "low" not in able:
        raise ModelLoadFailed(f"{type(pipe).__name__} has one transformer; remove `low_noise_file`.")
    return {noise: lora.low_noise_file if noise == "low" and lora.low_noise_file else lora.file for noise in able}


def schedulers(pipe: Any, spec: ModelSpec) -> dict[str | None, Any]:
    """Return the model's scheduler under `None`, and each LoRA's scheduler under its name.

    Raises `ModelLoadFailed` for a value that this kind of scheduler does not have: diffusers only logs that.
    """
    own = pipe.scheduler

    def fixed(schedule: Schedule | None) -> Any:
        return own if schedule is None else FixedSchedule(schedule, own.config.num_train_timesteps)

    made: dict[str | None, Any] = {None: fixed(spec.schedule)}
    for name, lora in spec.loras.items():
        unknown = sorted(lora.scheduler.keys() - own.config.keys())
        if unknown:
            raise ModelLoadFailed(f"the LoRA {name!r} sets {unknown[0]}, which {type(own).__name__} does not have")
        made[name] = type(own).from_config(own.config, **lora.scheduler) if lora.scheduler else fixed(lora.schedule)
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
    return next((name for name, _ in loras if name in spec.loras and spec.loras[name].has_steps), None)


def layers_in(file: Path) -> int:
    """Return how many LoRA layers are in a file of safetensors."""
    with safe_open(file, framework="pt") as tensors:
        keys: list[str] = tensors.keys()
    return sum(bool(_DOWN.search(key)) for key in keys)


def layers_on(pipe: Any, name: str) -> int:
    """Return how many layers of a pipeline's modules have the LoRA of this name."""
    models = [part for part in pipe.components.values() if isinstance(part, nn.Module)]
    return sum(name in getattr(layer, "lora_A", ()) for model in models for layer in model.modules())
