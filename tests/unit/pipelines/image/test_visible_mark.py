"""The visible mark: where it is, on any background, in pictures and in the planes of films."""

import numpy as np
import pytest

from pipelines.image.visible_mark import mark_image, mark_of, mark_planes


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize(("width", "height"), [(512, 256), (256, 512), (64, 64), (1024, 1024)])
def test_a_picture_has_it_at_the_bottom_left_only(value, width, height):
    picture = np.full((height, width, 3), value, np.uint8)
    changed = np.abs(mark_image(picture).astype(int) - value).max(-1) > 60
    assert changed.any()
    rows, columns = np.nonzero(changed)
    assert height / 2 < rows.min()
    assert width / 3 > columns.min()
    assert (picture == value).all()


def test_it_is_drawn_where_nothing_was():
    picture = np.zeros((256, 256, 4), np.uint8)
    marked = mark_image(picture)
    text, rim = mark_of(256, 256)
    assert np.array_equal(marked[..., 3] > 0, np.round((text + rim) * 255) > 0)
    assert (255, 191) == (marked[..., 0].max(), marked[..., 3].max()) or marked[..., 0].max() > 180


@pytest.mark.parametrize("luma", [16, 126, 235])
def test_every_frame_of_a_film_has_it_without_color(luma):
    width, height = 320, 192
    frames = np.full((3, height * 3 // 2, width), 90, np.uint8)
    frames[:, :height] = luma
    marked = mark_planes(frames)
    assert frames.shape == marked.shape
    assert np.array_equal(marked[0], marked[2])
    changed = np.abs(marked[0, :height].astype(int) - luma) > 50
    assert changed.any()
    assert not changed[: height // 2].any()
    chroma = marked[0, height:].reshape(2, height // 2, width // 2)
    assert 90 < chroma.max() <= 128
    assert (chroma[:, : height // 4] == 90).all()
