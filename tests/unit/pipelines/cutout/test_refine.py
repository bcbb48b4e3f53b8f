import numpy as np
import pytest
from PIL import Image

from pipelines.cutout.refine import enlarge, keep_main_parts, see_through, weigh_by_color


def scene(side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A green square on gray, and where it is."""
    image = np.full((side, side, 3), 120, np.uint8)
    where = np.zeros((side, side), np.float32)
    where[side // 4 : side // 2, side // 4 : side // 2] = 1
    image[where > 0] = (20, 200, 60)
    return image, where


def test_colors_mend_what_the_network_got_wrong() -> None:
    image, where = scene()
    unsure = (where * 0.9 + 0.03).astype(np.float32)
    unsure[20:24, 20:24] = 0.4
    unsure[50:53, 50:53] = 0.52

    mended = weigh_by_color(image, unsure)

    assert np.array_equal(where > 0.5, mended > 0.5)
    assert np.float32 == mended.dtype


def test_where_the_network_is_sure_of_nothing_it_stays_so() -> None:
    image, where = scene()
    assert weigh_by_color(image, np.zeros_like(where)).max() < 0.01


def test_small_parts_are_dropped_and_similar_ones_stay() -> None:
    matte = np.zeros((64, 64), np.float32)
    matte[5:25, 5:25] = matte[35:50, 5:25] = 1
    matte[5:10, 50:55] = 1

    kept = keep_main_parts(matte)

    assert 0 == kept[5:10, 50:55].max()
    assert 1 == kept[5:25, 5:25].min() == kept[35:50, 5:25].min()
    assert np.array_equal(np.zeros((9, 9)), keep_main_parts(np.zeros((9, 9), np.float32)))


@pytest.mark.parametrize("size", [(640, 480), (64, 64), (31, 200), (1, 1)])
def test_a_matte_is_enlarged_to_the_image(size: tuple[int, int]) -> None:
    image, where = scene()
    large = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)

    matte = enlarge(where, large)

    assert (size[1], size[0]) == matte.shape
    assert np.uint8 == matte.dtype


def test_edges_fall_on_those_of_the_image() -> None:
    image, where = scene(512)
    coarse = np.asarray(Image.fromarray(where).resize((64, 64), Image.Resampling.BOX))

    matte = enlarge(coarse, Image.fromarray(image)).astype(np.float32) / 255

    smooth = np.asarray(Image.fromarray(coarse).resize((512, 512), Image.Resampling.BICUBIC))
    assert np.abs(matte - where).mean() < 0.7 * np.abs(smooth - where).mean()


def test_a_clear_thing_has_the_opacity_of_the_network() -> None:
    image, _ = scene()
    opacity = np.zeros((5, 64, 64), np.float32)
    opacity[0, :, 32:], opacity[4] = 1, 0.3

    matte = see_through(np.full((200, 100), 255, np.uint8), opacity, Image.fromarray(image).resize((100, 200)))

    assert {255} == set(matte[:, :48].ravel())
    assert np.abs(matte[:, 52:] / 255 - 0.3).max() < 0.01


def test_the_lines_find_strands_that_the_small_image_lost() -> None:
    strands = np.zeros((256, 256), np.float32)
    strands[:, ::3] = 1
    opacity = np.zeros((5, 64, 64), np.float32)
    opacity[:2] = 1  # the whole share, and the slope of red

    image = Image.fromarray(np.repeat((strands * 255).astype(np.uint8)[..., None], 3, axis=2))
    matte = see_through(np.zeros((256, 256), np.uint8), opacity, image)

    assert np.abs(matte / 255 - strands).max() < 0.01
