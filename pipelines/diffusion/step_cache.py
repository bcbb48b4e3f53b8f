"""Reuse of what earlier steps computed: the caches of diffusers, for one call of a pipeline.

The results differ, so only a preset turns one on; `StepCache` describes them. Each call begins with an empty cache.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from inspect import getsource
from typing import Any

import torch
from diffusers import FirstBlockCacheConfig, MagCacheConfig, TaylorSeerCacheConfig
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.catalog.spec import Preset, StepCache

TRANSFORMERS = ("transformer", "transformer_2")
_OUTPUT = "proj_out"
"""The module whose output TaylorSeer extrapolates while it leaves the blocks out."""

_UNABLE = {("first-block", "Flux2Transformer2DModel")}
"""Caches that diffusers turns on for a transformer, and that fail in its first step."""


@contextmanager
def reused_steps(pipe: Any, cache: StepCache | None) -> Iterator[None]:
    """Make the pipeline's transformers reuse steps within the block; `None` changes nothing."""
    with ExitStack() as undo:
        if cache is not None:
            for transformer in transformers_of(pipe):
                transformer.enable_cache(_config(cache))
                undo.callback(transformer.disable_cache)
        yield


def check_reuse(pipe: Any, presets: dict[Any, Preset]) -> None:
    """Raise `ModelLoadFailed` when a preset reuses steps in a way that this pipeline cannot."""
    for cache in {preset.reuse(None) for preset in presets.values()}:
        if cache is not None and not _can_reuse(pipe, cache):
            raise ModelLoadFailed(f"{type(pipe).__name__} cannot reuse steps; remove `cache` from its presets.")


def _can_reuse(pipe: Any, cache: StepCache) -> bool:
    transformers = transformers_of(pipe)
    if _UNABLE & {(cache.kind, type(transformer).__name__) for transformer in transformers}:
        return False
    if cache.kind == "magcache" and len(transformers) > 1:
        return False  # each would take the ratios of all steps for those of its own
    if cache.kind == "taylorseer" and not all(hasattr(transformer, _OUTPUT) for transformer in transformers):
        return False
    try:
        with reused_steps(pipe, cache):
            # The cache distinguishes the evaluations of a step by the context that the pipeline names.
            return "cache_context(" in getsource(type(pipe).__call__) and all(map(_has_hooks, transformers))
    except (AttributeError, ValueError, IndexError):
        return False


def transformers_of(pipe: Any) -> list[Any]:
    """Return the transformers that make a pipeline's steps."""
    found = (getattr(pipe, name, None) for name in TRANSFORMERS)
    return [transformer for transformer in found if transformer is not None]


def _has_hooks(transformer: nn.Module) -> bool:
    """Return whether a cache took hold of any block: one that finds none only logs it."""
    registries = (getattr(module, "_diffusers_hook", None) for module in transformer.modules())
    return any(registry is not None and registry.hooks for registry in registries)


def _config(cache: StepCache) -> Any:
    match cache.kind:
        case "first-block":
            return FirstBlockCacheConfig(threshold=cache.threshold)  # type: ignore[no-untyped-call]
        case "magcache":
            ratios = list(cache.ratios)
            return MagCacheConfig(  # type: ignore[no-untyped-call]
                threshold=cache.threshold, mag_ratios=ratios, num_inference_steps=cache.steps or len(ratios)
            )
        case "taylorseer":
            # One tensor is extrapolated, so its full precision costs nothing.
            return TaylorSeerCacheConfig(  # type: ignore[no-untyped-call]
                cache_interval=cache.interval, taylor_factors_dtype=torch.float32, use_lite_mode=True
            )
