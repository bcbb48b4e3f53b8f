"""Caches of methods: an `lru_cache` on a method belongs to the class, and keeps each instance and its tensors for good.

Such is Qwen-Image's in diffusers, `QwenEmbedRope._get_device_freqs`: a model that is loaded again leaves some megabytes
on the host and on the device every time.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import _lru_cache_wrapper
from types import FunctionType
from typing import Any

from torch import nn


def clear_method_caches() -> None:
    """Clear the caches of the methods of all classes of modules; models that are still in memory compute anew."""
    for class_ in _subclasses(nn.Module, set()):
        for attribute in list(vars(class_).values()):
            for cache in _caches(attribute, set()):
                cache.cache_clear()


def _subclasses(class_: type[Any], seen: set[type[Any]]) -> Iterator[type[Any]]:
    for one in class_.__subclasses__():
        if one not in seen:
            seen.add(one)
            yield one
            yield from _subclasses(one, seen)


def _caches(attribute: object, seen: set[int]) -> Iterator["_lru_cache_wrapper[Any]"]:
    """Yield the caches of a function: itself, or what the functions around it call."""
    if isinstance(attribute, _lru_cache_wrapper):
        yield attribute
    elif isinstance(attribute, staticmethod | classmethod):
        yield from _caches(attribute.__func__, seen)
    elif isinstance(attribute, FunctionType) and id(attribute) not in seen:
        seen.add(id(attribute))
        for cell in attribute.__closure__ or ():
            with suppress(ValueError):  # a variable without a value
                yield from _caches(cell.cell_contents, seen)
