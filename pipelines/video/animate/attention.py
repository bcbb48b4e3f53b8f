"""Flex attention as this model needs it on a GPU: compiled, whether or not the rest of the model is.

As it is, torch's flex attention makes the whole matrix of scores: at 640x800 and 81 frames 44,000 x 86,000 of them for
each of 40 heads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.attention import flex_attention as flex


class FlexAttention:
    """The flex attention of one model; it is compiled in the first run."""

    def __init__(self, device: str) -> None:
        self._compiled: Any = torch.compile(flex.flex_attention) if device.startswith("cuda") else None
        self.is_due = self._compiled is not None
        """Whether the next run compiles it, which takes a while."""

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within the block, diffusers finds the compiled one where it looks for torch's."""
        if self._compiled is None:
            yield
            return
        own = flex.flex_attention
        flex.flex_attention = self._compiled
        try:
            yield
        finally:
            flex.flex_attention = own
        self.is_due = False
