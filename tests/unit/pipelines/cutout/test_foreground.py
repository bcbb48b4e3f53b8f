import numpy as np
import pytest

from pipelines.cutout.foreground import clean_edges

RED, GREEN = (200, 30, 20), (10, 220, 40)


def disc(height: int, width: int, soft: float) -> np.ndarray:
    """A matte: 255 inside, falling to 0 over `soft` pixels."""
    y, x = np.mgrid[:height, :width]
    away = np.hypot(x - width / 2, y - height / 2) - min(height, width) / 3
    return (np.clip(0.5 - away / soft, 0, 1) * 255).astype(np.uint8)


def over(matte: np.ndarray, front: tuple[int, ...], back: tuple[int, ...]) -> np.ndarray:
    share = matte[..., None] / 255
    return (np.array(front) * share + np.array(back) * (1 - share) + 0.5).astype(np.uint8)


@pytest.mark.parametrize(("size", "soft"), [((120, 160), 12), ((64, 64), 5), ((1500, 2100), 24)])
def test_the_edge_gets_the_foregrounds_color(size: tuple[int, int], soft: float) -> None:
    matte = disc(*size, soft)
    image = over(matte, RED, GREEN)
    edge = (matte > 20) & (matte < 250)

    cleaned = clean_edges(image, matte)

    assert np.abs(image[edge].astype(int) - RED).mean() > 40
    assert np.abs(cleaned[edge].astype(int) - RED).mean() < 8


def test_pure_foreground_stays_and_pure_background_goes() -> None:
    matte = disc(90, 90, soft=6)
    image = np.random.default_rng(1).integers(0, 256, (90, 90, 3), dtype=np.uint8)

    cleaned = clean_edges(image, matte)

    assert np.array_equal(image[matte == 255], cleaned[matte == 255])
    assert 0 == cleaned[matte == 0].max()
    assert (90, 90, 3) == cleaned.shape


@pytest.mark.parametrize("value", [0, 255, 128])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 7)])
def test_a_matte_of_one_value_and_tiny_images(value: int, size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 77, np.uint8)

    cleaned = clean_edges(image, np.full(size, value, np.uint8))

    assert {0: 0, 255: 77}.get(value, int(cleaned.max())) == cleaned.max()
    assert abs(int(cleaned.max()) - (0 if value == 0 else 77)) <= 2
