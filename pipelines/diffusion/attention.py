"""Choice of a model's attention backend: the catalog's, as far as this device supports it.

It applies to models whose attention goes through diffusers' dispatcher: all transformers, but no UNet.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch
from diffusers.models.attention_dispatch import attention_backend, dispatch_attention_fn

from core.errors.base import AtelierError
from pipelines.catalog.spec import ATTENTION, Attention
from pipelines.runtime.protocol import Interrupted
from pipelines.runtime.torch_errors import is_out_of_memory

log = logging.getLogger(__name__)

NATIVE: Attention = "native"
AUTOMATIC: tuple[Attention, ...] = ("_native_cudnn", "flash")
"""Candidates of "auto" on a GPU, in order. cuDNN comes first: it takes masks, which flash refuses."""

_NOT_ITS_FAULT = (Interrupted, AtelierError, MemoryError, torch.OutOfMemoryError)

T = TypeVar("T")


class AttentionBackend:
    """The attention backend of one model; native replaces it where the device or the model cannot use it."""

    def __init__(self, wanted: Attention, device: str, dtype: torch.dtype) -> None:
        self.name = choose(wanted, device, dtype)
        self._wanted = self.name if wanted == "auto" else wanted

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return () if self.name == self._wanted else (f"has attention {self.name}: {self._wanted} does not work here",)

    def run(self, compute: Callable[[], T]) -> T:
        """Return the result of `compute` with this backend.

        Where that fails, run it once more with native, and keep native if that works. Only a job shows what a backend
        refuses, such as a mask, so `compute` must be able to run twice.
        """
        if self.name == NATIVE:
            return compute()
        try:
            with attention_backend(self.name):
                return compute()
        except _NOT_ITS_FAULT:
            raise
        except Exception as error:
            if is_out_of_memory(error):  # in the words of CUDA's libraries
                raise
            log.warning("attention %s failed, trying native: %s: %s", self.name, type(error).__name__, error)
        made = compute()
        self.name = NATIVE
        return made


def choose(wanted: Attention, device: str, dtype: torch.dtype) -> Attention:
    """Return `wanted` if it works on this device, else native; for "auto" the fastest that works."""
    if wanted == "auto":
        candidates = AUTOMATIC if device.startswith("cuda") else ()
        return next((name for name in candidates if works(name, device, dtype)), NATIVE)
    if wanted == NATIVE or works(wanted, device, dtype):
        return wanted
    log.warning("attention %s does not work on %s; native is used", wanted, device)
    return NATIVE


def works(name: Attention, device: str, dtype: torch.dtype) -> bool:
    """Return whether this backend computes a small attention: its library may be missing or not support the device."""
    query = torch.zeros(1, 64, 2, 64, dtype=dtype, device=device)
    try:
        with attention_backend(name):
            dispatch_attention_fn(query, query, query).cpu()
    except Exception as error:
        log.debug("attention %s: %s", name, error)
        return False
    return True


def working(device: str, dtype: torch.dtype) -> tuple[Attention, ...]:
    """Return all backends that a catalog can name and that work here."""
    return tuple(name for name in ATTENTION if name != "auto" and works(name, device, dtype))
