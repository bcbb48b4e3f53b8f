"""Reuse of steps that change little: diffusers' first-block cache, for one call of a pipeline.

The first block of the transformer runs in every step. Where its effect has changed by less than the threshold since the
last whole step, the effect of the other blocks in that step is used again. The result differs, so only a preset turns
it on.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from inspect import getsource
from typing import Any

from diffusers import FirstBlockCacheConfig

from core.errors import ModelLoadFailed
from pipelines.catalog.spec import Preset

TRANSFORMERS = ("transformer", "transformer_2")


@contextmanager
def reused_steps(pipe: Any, threshold: float | None) -> Iterator[None]:
    """Make the pipeline's transformers reuse steps within the block; `None` changes nothing."""
    with ExitStack() as undo:
        for name in TRANSFORMERS if threshold is not None else ():
            transformer = getattr(pipe, name, None)
            if transformer is not None:
                transformer.enable_cache(FirstBlockCacheConfig(threshold=threshold))  # type: ignore[no-untyped-call]
                undo.callback(transformer.disable_cache)
        yield


def check_reuse(pipe: Any, presets: dict[Any, Preset]) -> None:
    """Raise `ModelLoadFailed` when a preset reuses steps and this pipeline cannot."""
    if all(preset.reuse_threshold is None for preset in presets.values()):
        return
    try:
        with reused_steps(pipe, 0.0):
            # The cache distinguishes the evaluations of a step by the context that the pipeline names.
            able = "cache_context(" in getsource(type(pipe).__call__) and pipe.transformer.is_cache_enabled
    except (AttributeError, ValueError, IndexError):
        able = False
    if not able:
        raise ModelLoadFailed(f"{type(pipe).__name__} cannot reuse steps; remove `cache` from its presets.")
