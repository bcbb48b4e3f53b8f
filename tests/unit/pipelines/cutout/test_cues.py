import numpy as np

from pipelines.cutout.cues import COUNT, cues


def test_a_color_that_stays_away_from_the_border_stands_out() -> None:
    image = np.full((64, 64, 3), (30, 90, 160), np.uint8)
    image[24:40, 24:40] = (230, 40, 30)

    ratio, common = cues(image)

    assert ratio[30, 30] < -1 < 0 <= ratio[5, 5]
    assert common[30, 30] < 0 < common[5, 5]


def test_a_pattern_that_reaches_the_border_does_not() -> None:
    y, x = np.mgrid[:64, :64]
    image = np.where(((x // 8 + y // 8) % 2)[..., None], (250, 250, 250), (10, 10, 10)).astype(np.uint8)

    ratio, _ = cues(image)

    assert np.abs(ratio).max() < 0.1


def test_shape_and_range_whatever_the_image() -> None:
    rng = np.random.default_rng(0)
    for side in (16, 65, 256):
        for image in (np.zeros((side, side, 3), np.uint8), rng.integers(0, 256, (side, side, 3), dtype=np.uint8)):
            planes = cues(image)
            assert (COUNT, side, side) == planes.shape
            assert np.float32 == planes.dtype
            assert np.isfinite(planes).all()
            assert np.abs(planes).max() <= 1.5
