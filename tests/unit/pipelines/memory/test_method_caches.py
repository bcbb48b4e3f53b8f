import gc
import weakref
from collections.abc import Callable
from functools import cache, lru_cache, wraps
from typing import Any

import pytest
import torch
from torch import nn

from pipelines.memory.method_caches import clear_method_caches


def cached_by_a_wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
    """A cache out of sight, as diffusers has it."""
    cached = lru_cache(maxsize=None)(function)

    @wraps(function)
    def call(*args: Any) -> Any:
        return cached(*args)

    return call


class Plain(nn.Module):
    @cache  # noqa: B019
    def table(self, size: int) -> torch.Tensor:
        return torch.ones(size)


class Wrapped(nn.Module):
    @cached_by_a_wrapper
    def table(self, size: int) -> torch.Tensor:
        return torch.ones(size)


class Inherits(Wrapped):
    pass


class Stacked(nn.Module):
    @torch.no_grad()
    @cached_by_a_wrapper
    def table(self, size: int) -> torch.Tensor:
        return torch.ones(size)


class Static(nn.Module):
    @staticmethod
    @cache
    def table(size: int) -> torch.Tensor:
        return torch.ones(size)


@pytest.mark.matrix
@pytest.mark.parametrize("class_", [Plain, Wrapped, Inherits, Stacked, Static])
def test_a_dropped_module_and_its_tables_are_freed(class_: type[Any]) -> None:
    part = class_()
    gone = [weakref.ref(part), weakref.ref(part.table(3))]
    clear_method_caches()
    del part
    gc.collect()

    assert [None, None] == [one() for one in gone]


def test_a_cleared_cache_fills_again() -> None:
    module = Plain()
    clear_method_caches()
    assert module.table(3) is module.table(3)
