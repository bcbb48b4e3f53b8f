"""A model's repeated blocks as compiled code: compiled once, at the first run, and from the disk after that.

Shapes are left open, since every size and every length of a prompt is another shape: one compilation serves nearly all
of them, where fixed shapes would compile anew for each and give up after a few. Weights are arguments of the compiled
code, so that a parked model needs no new compilation.
"""

import logging
from typing import Any

import torch

log = logging.getLogger(__name__)

DENOISERS = ("transformer", "transformer_2", "unet")
BACKEND = "inductor"
"""Of torch.compile."""


def compile_blocks(pipe: Any) -> bool:
    """Have the blocks compiled when they first run; whether there are any. What can not be compiled runs as it is."""
    torch._dynamo.config.suppress_errors = True
    models = [model for model in (getattr(pipe, name, None) for name in DENOISERS) if model is not None]
    for model in models:
        try:
            model.compile_repeated_blocks(dynamic=True, backend=BACKEND)
        except ValueError as error:  # diffusers does not know its blocks
            log.warning("%s is not compiled: %s", type(model).__name__, error)
            return False
    return bool(models)
