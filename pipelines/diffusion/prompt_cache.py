"""Cache of encoded prompts: the output of the text encoders, reused for the same prompt.

It lies in host memory, so it costs nothing of the device's budget and survives the offload of the model. Copying it
back takes a millisecond; the encoders take a hundred.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import wraps
from inspect import getmembers, getsource, isfunction, signature
from typing import Any

import msgspec
import torch

CAPACITY = 256 * 2**20
"""Bytes of a model's cache: about 40 prompts of Qwen-Image at their longest, hundreds of short ones."""

_PLAIN = (str, int, float, bool, torch.device, torch.dtype)


class _CachedTensor(msgspec.Struct, frozen=True):
    """A tensor in host memory, and the device that it belongs on."""

    values: torch.Tensor
    device: torch.device

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "_CachedTensor":
        return cls(tensor.detach().to("cpu", copy=True), tensor.device)

    def copy(self) -> torch.Tensor:
        return self.values.to(self.device, copy=True)


class _NotCacheable(Exception):
    """An argument that is more than plain values, or a result that is more than tensors."""


class PromptCache:
    """Results of `encode_prompt` of a pipeline and its siblings: the most recently used, up to `capacity` bytes.

    A call with other arguments than plain values, such as an image, is not cached.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.loras: Hashable = ()
        """The LoRAs that are on, with their weights; they may change the text encoders."""
        self._capacity = capacity
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.bytes = 0
        """Size of all cached tensors."""

    def attach(self, pipe: Any) -> None:
        """Make `pipe` use this cache; does nothing for a pipeline without `encode_prompt`.

        All attached pipelines must share their text encoders.
        """
        if not hasattr(pipe, "encode_prompt"):
            return
        encode, reading = pipe.encode_prompt, _reading(pipe)
        form = signature(encode)

        @wraps(encode)
        def encode_once(*args: Any, **named: Any) -> Any:
            try:
                asked = _plain(list(form.bind(*args, **named).arguments.items()))
            except _NotCacheable:
                return encode(*args, **named)
            return self._answer((reading, self.loras, asked), lambda: encode(*args, **named))

        pipe.encode_prompt = encode_once

    def _answer(self, key: Hashable, encode: Callable[[], Any]) -> Any:
        if key in self._entries:
            self._entries.move_to_end(key)
            return _each(self._entries[key][0], _CachedTensor, _CachedTensor.copy)
        answer = encode()
        with suppress(_NotCacheable):
            self._keep(key, _each(answer, torch.Tensor, _CachedTensor.of))
        return answer

    def _keep(self, key: Hashable, answer: Any) -> None:
        sizes: list[int] = []
        _each(answer, _CachedTensor, lambda kept: sizes.append(kept.values.nbytes))
        self._entries[key] = answer, sum(sizes)
        self.bytes += sum(sizes)
        while self.bytes > self._capacity:
            _, (_, size) = self._entries.popitem(last=False)
            self.bytes -= size


def _reading(pipe: Any) -> Hashable:
    """Return a key of how this pipeline reads prompts; pipelines with the same key may share results.

    The key is the source of its methods that deal with prompts, which diffusers copies between siblings, and their
    templates.
    """
    methods = [(name, getsource(one)) for name, one in getmembers(type(pipe), isfunction) if "prompt" in name]
    templates = [(name, repr(value)) for name, value in vars(pipe).items() if "prompt" in name]
    return tuple(methods), tuple(sorted(templates))


def _plain(value: Any) -> Hashable:
    """Return the value as part of a key. Raises `_NotCacheable`."""
    if value is None or isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, list | tuple):
        return type(value), tuple(map(_plain, value))
    raise _NotCacheable


def _each(value: Any, kind: type[Any], change: Callable[[Any], Any]) -> Any:
    """Return the same lists and tuples with every value of this kind changed; raise `_NotCacheable` for others."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_each(one, kind, change) for one in value)
    if value is None:
        return None
    raise _NotCacheable
