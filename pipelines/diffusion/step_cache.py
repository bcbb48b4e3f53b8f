"""Steps that change little are not computed whole: diffusers' first-block cache, for one call of a pipeline.

The first block of the transformer runs in every step. Where what it does has changed by less than the threshold since
the last whole step, what the other blocks did then is used again. It changes the picture, so only a preset asks for it.
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
    """Within the block the pipeline's transformers reuse steps; with `None` everything is as ever."""
    with ExitStack() as undo:
        for name in TRANSFORMERS if threshold is not None else ():
            transformer = getattr(pipe, name, None)
            if transformer is not None:
                transformer.enable_cache(FirstBlockCacheConfig(threshold=threshold))  # type: ignore[no-untyped-call]
                undo.callback(transformer.disable_cache)
        yield


def check_reuse(pipe: Any, presets: dict[Any, Preset]) -> None:
    """Raise `ModelLoadFailed` when a preset reuses steps and this pipeline can not."""
    if all(preset.reuse_threshold is None for preset in presets.values()):
        return
    try:
        with reused_steps(pipe, 0.0):
            # The cache tells the evaluations of a step apart by the context that the pipeline names.
            able = "cache_context(" in getsource(type(pipe).__call__) and pipe.transformer.is_cache_enabled
    except (AttributeError, ValueError, IndexError):
        able = False
    if not able:
        raise ModelLoadFailed(f"{type(pipe).__name__} can not reuse steps: remove `cache` from its presets.")
