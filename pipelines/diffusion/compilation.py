"""Compilation of a model's repeated blocks: once, at the first run, and read from disk after that.

Shapes are left open, since every size and every prompt length is another shape. One compilation then serves nearly all
of them; fixed shapes would compile anew for each and give up after a few. Weights are arguments of the compiled code,
so a model that comes back from host memory needs no new compilation.
"""

import logging
from typing import Any

import torch

log = logging.getLogger(__name__)

DENOISERS = ("transformer", "transformer_2", "unet")
BACKEND = "inductor"
"""Backend of torch.compile."""


def compile_blocks(pipe: Any) -> bool:
    """Make the blocks compile at their first run; return whether there are any.

    A block that cannot be compiled runs as it is.
    """
    torch._dynamo.config.suppress_errors = True
    models = [model for model in (getattr(pipe, name, None) for name in DENOISERS) if model is not None]
    for model in models:
        try:
            model.compile_repeated_blocks(dynamic=True, backend=BACKEND)
        except ValueError as error:  # diffusers does not know its blocks
            log.warning("%s is not compiled: %s", type(model).__name__, error)
            return False
    return bool(models)
