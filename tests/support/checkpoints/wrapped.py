"""A weight as torchao makes them: a wrapper subclass without memory of its own around float8 values and a scale."""

from typing import Any

import torch
from torch.utils import _pytree as pytree


class ScaledTensor(torch.Tensor):
    """`values` (float8) times `scale`; every operation but copies is done in float32."""

    values: torch.Tensor
    scale: torch.Tensor

    @staticmethod
    def __new__(cls, values: torch.Tensor, scale: torch.Tensor) -> "ScaledTensor":
        made: ScaledTensor = torch.Tensor._make_wrapper_subclass(
            cls, values.shape, dtype=torch.float32, device=values.device
        )
        made.values, made.scale = values, scale
        return made

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "ScaledTensor":
        scale = tensor.abs().max() / 448
        return cls((tensor / scale).to(torch.float8_e4m3fn), scale)

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["values", "scale"], None

    @classmethod
    def __tensor_unflatten__(cls, parts: dict[str, torch.Tensor], *_: Any) -> "ScaledTensor":
        return cls(parts["values"], parts["scale"])

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (torch.ops.aten.detach.default, torch.ops.aten._to_copy.default):
            (one, *rest), options = args, kwargs or {}
            return cls(function(one.values, *rest, **options), function(one.scale, *rest, **options))
        args, kwargs = pytree.tree_map_only(cls, lambda one: one.values.float() * one.scale, (args, kwargs or {}))
        return function(*args, **kwargs)
