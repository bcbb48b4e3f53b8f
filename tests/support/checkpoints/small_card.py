"""A card that is made up for an engine on the CPU: it holds `ATELIER_VRAM_BUDGET` bytes of weights and no more.

What a GPU would hold is counted: the weights that a pipeline keeps on the device, and those of a block from the time
that it comes to the time that it leaves. The engine measures models by this count.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import torch

from core.settings import read_settings
from jobs.params.image import ImageParams
from pipelines.catalog.spec import ModelSpec
from pipelines.image.diffusers_image import DiffusersImage
from pipelines.memory.chunks import bytes_of, tensors_of
from pipelines.memory.offload import Offload
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime import device_memory
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext


class SmallCard:
    """The weights on the card."""

    def __init__(self) -> None:
        self.capacity = read_settings().vram_budget
        self.most = 0
        """The most bytes at once since the last run began."""
        self._kept: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        self._here: WeakKeyDictionary[Offload, int] = WeakKeyDictionary()
        restore, offload = Offload.restore, Offload.offload

        def come(weights: Offload) -> None:
            self._here[weights] = weights.bytes
            self._hold()
            restore(weights)

        def leave(weights: Offload) -> None:
            offload(weights)
            self._here.pop(weights, None)

        _replace(Offload, "restore", come)
        _replace(Offload, "offload", leave)
        _replace(device_memory, "memory_used", lambda device: self.used)

    @property
    def used(self) -> int:
        """Bytes on the card now."""
        return sum(self._kept.values()) + sum(self._here.values())

    def keep(self, pipeline: DiffusersImage) -> None:
        """Count the weights of a pipeline that stay on the card between its runs."""
        self._kept[pipeline] = sum(map(bytes_of, tensors_of(pipeline.modules)))

    def _hold(self) -> None:
        self.most = max(self.most, self.used)
        if self.used > self.capacity:
            raise torch.OutOfMemoryError("CUDA out of memory: the card that is made up is full")


def _replace(owner: Any, name: str, function: Callable[..., object]) -> None:
    setattr(owner, name, function)


_CARD: list[SmallCard] = []


class SmallCardImage(DiffusersImage):
    """The family `diffusers-image` on that card; the metadata say what was on it at most, as `card_bytes`."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        if not _CARD:
            _CARD.append(SmallCard())
        super().__init__(spec, weights, device, loader)
        _CARD[0].keep(self)

    def run(self, params: ImageParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `DiffusersImage`."""
        card = _CARD[0]
        card.most = card.used
        raw = super().run(params, inputs, ctx)
        return msgspec.structs.replace(raw, metadata=raw.metadata | {"card_bytes": card.most})
