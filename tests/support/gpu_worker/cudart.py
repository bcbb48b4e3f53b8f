"""A made-up CUDA runtime that pins host memory, for tests of code that asks torch for the real one."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch


class Cudart:
    """What `torch.cuda.cudart()` returns: notes what is pinned and unpinned, by size and address, and answers `status`.

    `before_pin()` is called first; pinning then takes `seconds`.
    """

    def __init__(self, before_pin: Callable[[], object] = lambda: None, seconds: float = 0.0, status: int = 0) -> None:
        self.devices: set[torch.device] = set()
        self.pinned: list[int] = []
        self.unpinned: list[int] = []
        self._before_pin, self._seconds, self._status = before_pin, seconds, status

    @classmethod
    def install(cls, monkeypatch: pytest.MonkeyPatch, *arguments: Any, **options: Any) -> "Cudart":
        """Make a new one that of torch; `devices` are those that threads have chosen."""
        made = cls(*arguments, **options)
        monkeypatch.setattr(torch.cuda, "cudart", made)
        monkeypatch.setattr(torch.cuda, "set_device", made.devices.add)
        return made

    def __call__(self) -> SimpleNamespace:
        return SimpleNamespace(cudaHostRegister=self._pin, cudaHostUnregister=self.unpinned.append)

    def _pin(self, address: int, size: int, flags: int) -> int:
        self._before_pin()
        time.sleep(self._seconds)
        self.pinned.append(size)
        return self._status
