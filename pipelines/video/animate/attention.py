"""Flex attention as this model needs it: compiled on a GPU, whether or not the rest of the model is.

As it is, torch's flex attention makes the whole matrix of scores: at 640x800 and 81 frames 44,000 x 86,000 of them for
each of 40 heads. The mask of such a matrix is compiled by diffusers, which takes a CPU minutes and saves it nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.attention import flex_attention as flex


class FlexAttention:
    """The flex attention of one model; a GPU's is compiled in the first run. `is_compiled` says that the model is."""

    def __init__(self, device: str, *, is_compiled: bool) -> None:
        self._compiled: Any = torch.compile(flex.flex_attention) if device.startswith("cuda") else None
        self._is_eager = self._compiled is None and not is_compiled
        self.is_due = self._compiled is not None
        """Whether the next run compiles it, which takes a while."""

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within the block, diffusers finds the compiled one where it looks for torch's, or nothing is compiled."""
        own = flex.flex_attention
        if self._compiled is not None:
            flex.flex_attention = self._compiled
        try:
            with torch.compiler.set_stance("force_eager" if self._is_eager else "default"):
                yield
        finally:
            flex.flex_attention = own
        self.is_due = False
