"""Decoding that runs out of memory is repeated by itself: its latents are at hand, and all steps were made for them."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from core.errors.failures import GpuOutOfMemory
from pipelines.runtime.torch_errors import is_out_of_memory

log = logging.getLogger(__name__)

DECODING = (
    ("vae", "decode"),
    ("sound_tokenizer", "decode"),
    ("image_processor", "postprocess"),
    ("video_processor", "postprocess_video"),
)
"""What diffusers' pipelines call after their last step: attributes of the pipeline, and their methods."""


@contextmanager
def decode_retried(pipe: Any, make_room: Callable[[], bool]) -> Iterator[None]:
    """Within the block, repeat a decode of `pipe` that runs out of memory while `make_room` evicts another model.

    It is repeated at least once, since caches may have been in its way. Then `GpuOutOfMemory` is raised: to make the
    steps again would not help. After any error the autoencoder is in its own precision again, which SDXL's pipeline
    changes while it decodes.
    """
    with ExitStack() as undo:
        undo.enter_context(_own_precision(pipe))
        for attribute, method in DECODING:
            part = getattr(pipe, attribute, None)
            if hasattr(part, method):
                setattr(part, method, _retried(getattr(part, method), pipe, make_room))
                undo.callback(delattr, part, method)
        yield


def clear_vae_cache(pipe: Any) -> None:
    """Clear the frames that Wan's autoencoder keeps until its next video, also from an unfinished one."""
    vae: Any = getattr(pipe, "vae", None)
    if hasattr(vae, "clear_cache"):
        vae.clear_cache()


@contextmanager
def _own_precision(pipe: Any) -> Iterator[None]:
    vae: Any = getattr(pipe, "vae", None)
    dtype = getattr(vae, "dtype", None)
    try:
        yield
    finally:
        if dtype != getattr(vae, "dtype", None):
            vae.to(dtype)


def _retried(call: Callable[..., Any], pipe: Any, make_room: Callable[[], bool]) -> Callable[..., Any]:
    @wraps(call)
    def call_again(*args: Any, **named: Any) -> Any:
        tries = 0
        while True:
            try:
                return call(*args, **named)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                log.warning("decode: out of memory tries=%d reason=%r", tries + 1, str(error))
            # Not inside the handler, whose traceback would keep the tensors of the first attempt alive.
            clear_vae_cache(pipe)
            if not make_room() and tries:
                raise GpuOutOfMemory
            tries += 1

    return call_again
