"""The watch over the word that multilingual Chatterbox speaks, on the device.

Three heads of T3 follow the text. By their attention the end is prevented before all of the text was spoken, and forced
when the voice begins to ramble. The rules and their numbers are those of Chatterbox's `AlignmentStreamAnalyzer`, which
needs every token on the host; here they are tensors of fixed shape, so that a step can be a CUDA graph.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any

import torch
from torch.nn.functional import pad

NEVER, ALWAYS = -(2.0**15), 2.0**15
"""Logits of a token that must not come, and of the only one that may."""
_LAST = 3
"""The text has been spoken when one of its last so many tokens is."""
_TOO_LONG = 5.0
"""Attention, in tokens' worth, to the last tokens or to earlier ones after the text has been spoken."""


def _watched(tfmr: Any) -> list[tuple[Any, int]]:
    """Return the attention of each layer that is watched, and which of its heads is."""
    from chatterbox.models.t3.inference.alignment_stream_analyzer import LLAMA_ALIGNED_HEADS

    return [(tfmr.layers[layer].self_attn, head) for layer, head in LLAMA_ALIGNED_HEADS]


def prepare_watched_layers(tfmr: Any) -> None:
    """Let the watched layers, and only they, compute attention in the way that returns its weights."""
    for attention, _ in _watched(tfmr):
        attention.config = copy(attention.config)
        attention.config._attn_implementation = "eager"


class AlignmentWatch:
    """The state of the watch over one text at a time; `length` is the number of positions of keys."""

    def __init__(self, tfmr: Any, length: int, stop: int, device: str) -> None:
        self._layers = _watched(tfmr)
        self._seen: list[torch.Tensor] = [torch.zeros(length, device=device)] * len(self._layers)
        self._stop = stop
        self._columns = torch.arange(length, device=device)
        # The first position of the text and the one after its last, the position that is spoken, and the tokens so far.
        self._begin, self._end, self._spoken, self._count = (
            torch.zeros((), dtype=torch.long, device=device) for _ in range(4)
        )
        self._is_complete = torch.zeros((), dtype=torch.bool, device=device)
        self._tail = torch.zeros(length, device=device)
        self._repeated = torch.zeros((), device=device)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Follow the network's attention within the block."""
        with ExitStack() as stack:
            for number, (layer, head) in enumerate(self._layers):
                stack.enter_context(layer.register_forward_hook(self._hook(number, head)))
            yield

    def _hook(self, number: int, head: int) -> Any:
        def keep(module: Any, inputs: Any, outputs: Any) -> None:
            # rows x heads x queries x keys, of which those of the last query count, in the row that has the text
            self._seen[number] = outputs[1][0, head, -1].float()

        return keep

    def begin(self, begin: int, end: int) -> None:
        """Start with a text whose tokens are at the positions `begin` to `end` (exclusive)."""
        self._begin.fill_(begin)
        self._end.fill_(end)
        for state in (self._spoken, self._count, self._is_complete, self._tail, self._repeated):
            state.zero_()

    def adjust(self, logits: torch.Tensor, last: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """Return the logits (1 x tokens) of the next token, which comes after the tokens `before` and `last`."""
        attention = torch.stack(self._seen).mean(dim=0)
        attention = pad(attention, (0, self._columns.numel() - attention.numel()))
        begin, end, columns = self._begin, self._end, self._columns
        is_text = (columns >= begin) & (columns < end)
        attention = torch.where(is_text & (columns <= begin + self._count), attention, 0.0)
        at = torch.where(is_text, attention, -1.0).argmax() - begin

        was_complete = self._is_complete.clone()
        jump = at - self._spoken
        self._spoken.copy_(torch.where((jump > -4) & (jump < 7), at, self._spoken))
        self._is_complete |= self._spoken >= end - begin - _LAST
        self._tail += torch.where(was_complete & (columns >= end - _LAST), attention, 0.0)
        self._repeated += torch.where(was_complete & (columns < end - 5), attention, 0.0).max()

        is_long = self._is_complete & (self._tail.max() >= _TOO_LONG)
        is_repeated = self._is_complete & (self._repeated > _TOO_LONG)
        is_stuck = (self._count >= 2) & (last == before).all()
        is_early = (at < end - begin - _LAST) & (end - begin > 5)
        self._count += 1
        return self._changed(logits, is_early, is_long | is_repeated | is_stuck)

    def _changed(self, logits: torch.Tensor, is_early: torch.Tensor, must_end: torch.Tensor) -> torch.Tensor:
        """Return the logits without an end that is too early, or with nothing but the end."""
        is_stop = torch.arange(logits.size(-1), device=logits.device) == self._stop
        logits = torch.where(is_early & is_stop, NEVER, logits)
        return torch.where(must_end, torch.where(is_stop, ALWAYS, NEVER), logits)
