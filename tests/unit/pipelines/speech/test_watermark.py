"""Perth's watermark: there when it was put there, and not in noise."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from core.errors.failures import ModelLoadFailed
from pipelines.speech import watermark
from pipelines.speech.watermark import add_watermark, detect_watermark


def noise(rate: int, seconds: float = 2.0) -> np.ndarray:
    return (0.1 * np.random.default_rng(3).normal(size=round(rate * seconds))).astype(np.float32)


@pytest.mark.contract("C39")
@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 32_000])
def test_it_is_found_where_it_is_and_nowhere_else(rate: int) -> None:
    marked = add_watermark(noise(rate), rate)

    assert detect_watermark(marked, rate) > 0.9
    assert detect_watermark(noise(rate), rate) < 0.1
    assert (noise(rate).shape, np.float32) == (marked.shape, marked.dtype)


def test_it_is_the_same_every_time() -> None:
    assert np.array_equal(add_watermark(noise(24_000), 24_000), add_watermark(noise(24_000), 24_000))


def test_it_is_quiet() -> None:
    plain = noise(24_000)
    difference = add_watermark(plain, 24_000) - plain
    assert np.sqrt(np.mean(difference**2)) < np.sqrt(np.mean(plain**2)) / 3


@pytest.mark.parametrize("length", [1, 100, 700])
def test_a_blink_of_sound_is_taken_too(length: int) -> None:
    assert length == len(add_watermark(noise(24_000)[:length], 24_000))


class TestMissing:
    @pytest.fixture(autouse=True)
    def forgotten(self) -> Iterator[None]:
        watermark._perth.cache_clear()
        yield
        watermark._perth.cache_clear()

    def test_without_the_package_speech_is_not_made_unmarked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "perth", None)
        with pytest.raises(ModelLoadFailed, match="make setup"):
            add_watermark(noise(24_000), 24_000)

    def test_nor_where_it_came_apart_on_import(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import perth

        monkeypatch.setattr(perth, "PerthImplicitWatermarker", None)
        with pytest.raises(ModelLoadFailed, match="make setup"):
            add_watermark(noise(24_000), 24_000)
