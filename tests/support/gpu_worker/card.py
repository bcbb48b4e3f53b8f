"""A card that is made up: `torch.cuda` as far as memory is asked."""

import sys
from types import SimpleNamespace

import pytest

GIB = 2**30


class Card:
    """The bytes of a card of 80 GiB: allocated and cached by this process, or taken by its neighbors."""

    total = 80 * GIB

    def __init__(self) -> None:
        self.allocated = 0
        self.cached = 0
        self.neighbors = 0
        self.peak = 0

    @classmethod
    def install(cls, monkeypatch: pytest.MonkeyPatch) -> "Card":
        """Make a new one the card that `import torch` shows."""
        card = cls()
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=card))
        return card

    def allocate(self, size: int) -> None:
        self.allocated += size
        self.peak = max(self.peak, self.allocated)

    def reset_peak_memory_stats(self, device: str) -> None:
        self.peak = self.allocated

    def max_memory_allocated(self, device: str) -> int:
        return self.peak

    def memory_allocated(self, device: str) -> int:
        return self.allocated

    def memory_reserved(self, device: str) -> int:
        return self.allocated + self.cached

    def mem_get_info(self, device: str) -> tuple[int, int]:
        return self.total - self.allocated - self.cached - self.neighbors, self.total

    def get_device_properties(self, device: str) -> SimpleNamespace:
        return SimpleNamespace(uuid="5f1c", total_memory=self.total)
