"""A prompt is read once: what the text encoders made of it is kept, and given again for the same prompt.

It is kept in host memory. It so takes nothing from the device's budget and stays when the model is parked, and to bring
it back takes a millisecond where the encoders take a hundred.
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
"""Bytes of a model's cache: some 40 prompts of Qwen-Image at their longest, hundreds of short ones."""

_PLAIN = (str, int, float, bool, torch.device, torch.dtype)


class _Kept(msgspec.Struct, frozen=True):
    """A tensor in host memory, and the device that it belongs on."""

    values: torch.Tensor
    device: torch.device

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "_Kept":
        return cls(tensor.detach().to("cpu", copy=True), tensor.device)

    def copy(self) -> torch.Tensor:
        return self.values.to(self.device, copy=True)


class _Unfit(Exception):
    """An argument that is more than plain values, or an answer that is more than tensors."""


class PromptCache:
    """What `encode_prompt` of a pipeline and its siblings answered, the most recently used up to `capacity` bytes.

    A call with anything but plain values, such as a picture, is passed on as it is.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.lora: str | None = None
        """Name of the LoRA that is on: it may change the text encoders."""
        self._capacity = capacity
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.bytes = 0
        """Of all that is kept."""

    def attach(self, pipe: Any) -> None:
        """Have `pipe` ask here first; nothing for one without `encode_prompt`. All of them must share text encoders."""
        if not hasattr(pipe, "encode_prompt"):
            return
        encode, reading = pipe.encode_prompt, _reading(pipe)
        form = signature(encode)

        @wraps(encode)
        def encode_once(*args: Any, **named: Any) -> Any:
            try:
                asked = _plain(list(form.bind(*args, **named).arguments.items()))
            except _Unfit:
                return encode(*args, **named)
            return self._answer((reading, self.lora, asked), lambda: encode(*args, **named))

        pipe.encode_prompt = encode_once

    def _answer(self, key: Hashable, encode: Callable[[], Any]) -> Any:
        if key in self._entries:
            self._entries.move_to_end(key)
            return _each(self._entries[key][0], _Kept, _Kept.copy)
        answer = encode()
        with suppress(_Unfit):
            self._keep(key, _each(answer, torch.Tensor, _Kept.of))
        return answer

    def _keep(self, key: Hashable, answer: Any) -> None:
        sizes: list[int] = []
        _each(answer, _Kept, lambda kept: sizes.append(kept.values.nbytes))
        self._entries[key] = answer, sum(sizes)
        self.bytes += sum(sizes)
        while self.bytes > self._capacity:
            _, (_, size) = self._entries.popitem(last=False)
            self.bytes -= size


def _reading(pipe: Any) -> Hashable:
    """How this pipeline reads prompts: siblings for which it is the same may have each other's answers.

    That is the source of its methods that deal with prompts, which diffusers copies from one sibling to the other,
    and the templates that they use.
    """
    methods = [(name, getsource(one)) for name, one in getmembers(type(pipe), isfunction) if "prompt" in name]
    templates = [(name, repr(value)) for name, value in vars(pipe).items() if "prompt" in name]
    return tuple(methods), tuple(sorted(templates))


def _plain(value: Any) -> Hashable:
    """The value as part of a key. Raises `_Unfit`."""
    if value is None or isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, list | tuple):
        return type(value), tuple(map(_plain, value))
    raise _Unfit


def _each(value: Any, kind: type[Any], change: Callable[[Any], Any]) -> Any:
    """The same lists and tuples, with everything of this kind changed. Raises `_Unfit` for what is of another kind."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_each(one, kind, change) for one in value)
    if value is None:
        return None
    raise _Unfit
