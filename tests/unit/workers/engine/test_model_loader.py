"""The bytes that a model counts with whose memory torch does not know, as an ONNX session's; the GPU is made up."""

from collections.abc import Iterator

import msgspec
import pytest

from core.settings import Settings
from pipelines.catalog.loader import Catalog
from pipelines.weights.lockfile import Lock
from tests.support.checkpoints.specs import spec
from workers.engine.model_loader import ModelLoader

ENTRY = spec(family="tests.support.faults.chaos:Chaos", source={}, vram_bytes=1000)


@pytest.mark.parametrize(
    ("device", "used", "expected"), [("cuda:0", [50, 50], 1000), ("cuda:0", [50, 350], 300), ("cpu", [50, 50], 0)]
)
def test_it_counts_as_the_catalog_says_unless_it_is_measured(
    monkeypatch: pytest.MonkeyPatch, device: str, used: list[int], expected: int
) -> None:
    loader = ModelLoader(Catalog((ENTRY,)), Lock, Settings(device="cpu"))
    monkeypatch.setattr(loader, "device", msgspec.structs.replace(loader.device, name=device))
    figures: Iterator[int] = iter(used)
    monkeypatch.setattr(loader, "memory_used", lambda: next(figures))
    assert expected == loader.load("tiny").size
