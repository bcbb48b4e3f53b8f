import subprocess
import sys

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from pipelines.runtime.protocol import RunContext
from pipelines.video.color import empty_video, fill_planes
from tests.support.media.videos import planes, psnr, scene, seen

CODES = {
    "#000000": (16, 128, 128),
    "#ffffff": (235, 128, 128),
    "#808080": (126, 128, 128),
    "#ff0000": (63, 102, 240),
    "#00ff00": (173, 42, 26),
    "#0000ff": (32, 240, 118),
    "#ffff00": (219, 16, 138),
    "#00ffff": (188, 154, 16),
    "#ff00ff": (78, 214, 230),
}
"""Y, Cb and Cr of BT.709 in 8 bits, by the recommendation's own formulas."""


def by_swscale(rgb: np.ndarray) -> np.ndarray:
    """The same images as FFmpeg's scaler converts them, with the mean of 2x2 for chroma."""
    exact = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP | Interpolation.BITEXACT
    return np.stack(
        [
            VideoReformatter()
            .reformat(
                av.VideoFrame.from_ndarray(frame, format="rgb24"),
                format="yuv420p",
                src_colorspace=Colorspace.ITU709,
                dst_colorspace=Colorspace.ITU709,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
                interpolation=exact,
            )
            .to_ndarray()
            for frame in rgb
        ]
    )


def flat(color: str, size: tuple[int, int] = (64, 64)) -> np.ndarray:
    return np.full((1, size[1], size[0], 3), tuple(bytes.fromhex(color[1:])), np.uint8)


@pytest.mark.parametrize("color", CODES)
def test_colors_have_the_codes_of_the_recommendation(color: str) -> None:
    made = planes(flat(color))

    assert (1, 96, 64) == made.shape
    luma, blue, red = made[0, :64], made[0, 64:80], made[0, 80:]
    assert CODES[color] == (luma[0, 0], blue[0, 0], red[0, 0])
    assert all(1 == len(np.unique(plane)) for plane in (luma, blue, red))


@pytest.mark.parametrize("color", CODES)
def test_and_a_player_shows_them(color: str) -> None:
    assert np.abs(seen(planes(flat(color))).astype(int) - flat(color)).max() <= 3


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (192, 128), (34, 50)])
def test_every_pixel_is_the_one_of_swscale_within_a_level(size: tuple[int, int]) -> None:
    """Noise of all colors, noise of the outermost ones, and a scene."""
    random = np.random.default_rng(1)
    shape = (size[1], size[0], 3)
    edges = random.choice(np.array([0, 1, 254, 255], np.uint8), shape)
    rgb = np.stack([random.integers(0, 256, shape, dtype=np.uint8), edges, np.asarray(scene(size))])

    made = planes(rgb)

    assert np.abs(made.astype(int) - by_swscale(rgb)).max() <= 1
    assert (16, 235) == (made[1, : size[1]].min(), made[1, : size[1]].max())
    assert 16 <= made.min() <= made.max() <= 240


def test_a_scene_stays_what_it_was() -> None:
    rgb = np.asarray(scene((256, 192)))[None]

    assert psnr(rgb, seen(planes(rgb))) > 33


@pytest.mark.parametrize("size", [(2, 2), (6, 2), (2, 6)])
def test_the_smallest_images_and_planes_that_end_within_a_row(size: tuple[int, int]) -> None:
    made = planes(flat("#ff0000", size))

    count = size[0] * size[1]
    assert [63] * count + [102] * (count // 4) + [240] * (count // 4) == made.ravel().tolist()


def test_torch_makes_the_same_bytes_as_numpy() -> None:
    rgb = np.random.default_rng(2).random((3, 3, 64, 96), np.float32)
    ours, theirs = np.empty((3, 96, 96), np.uint8), torch.empty((3, 96, 96), dtype=torch.uint8)

    fill_planes(ours, rgb)
    fill_planes(theirs, torch.from_numpy(rgb))

    assert np.array_equal(ours, theirs.numpy())


def test_the_room_for_a_film_is_the_contexts() -> None:
    asked: list[object] = []

    def empty(name: str, shape: tuple[int, ...]) -> np.ndarray:
        asked.append((name, shape))
        return np.empty(shape, np.uint8)

    context = RunContext(seed=1, progress=lambda part, stage: None, warn=print, empty=empty)

    assert (5, 96, 128) == empty_video(context, 5, 128, 64).shape
    assert [("frames", (5, 96, 128))] == asked


def test_it_runs_without_torch() -> None:
    code = "import pipelines.video.color, sys; sys.exit('torch' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
