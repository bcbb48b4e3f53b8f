"""Variants of a model: presets whose weights are others in memory. No torch.

A variant is loaded by itself, beside the model or in its place, and no job of one uses the weights of another.
"""

import msgspec

from pipelines.catalog.spec import ModelSpec, Quantization

_SEPARATOR = "+"
"""Between a model's id, which cannot contain it, and the quantization of a variant."""


def variant_id(spec: ModelSpec, quality: str) -> str:
    """Return the name in memory of what this preset computes with: the model's id, or with its quantization behind."""
    preset = spec.quality.get(quality)  # type: ignore[call-overload]
    quantization = preset and preset.quantization
    return spec.id if quantization in (None, spec.quantization) else f"{spec.id}{_SEPARATOR}{quantization}"


def model_of(variant: str) -> str:
    """Return the id of the model that a variant is of."""
    return variant.partition(_SEPARATOR)[0]


def quantization_of(variant: str) -> str | None:
    """Return what distinguishes a variant from its model; `None` for the model itself."""
    return variant.partition(_SEPARATOR)[2] or None


def spec_of(spec: ModelSpec, variant: str) -> ModelSpec:
    """Return the entry of a model as this variant of it is loaded: with those presets alone that use it."""
    if quantization_of(variant) is None:
        return spec
    quantization = msgspec.convert(quantization_of(variant), Quantization)
    presets = {word: preset for word, preset in spec.quality.items() if preset.quantization == quantization}
    estimates = [preset.vram_bytes for preset in presets.values() if preset.vram_bytes is not None]
    return msgspec.structs.replace(
        spec,
        quantization=quantization,
        quality=presets,
        loras={},
        lora_files={},
        vram_bytes=max(estimates, default=spec.vram_bytes),
    )
