"""Posters, strips and short films, decoded again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.previews.films import OnWhite, film_previews, strip_numbers
from pipelines.runtime.protocol import PreviewFile
from tests.support.media.videos import decode_video, planes

FPS = 24


def film(count: int, width: int, height: int, *, black: int = 0) -> np.ndarray:
    """A film whose left half goes from dark to bright green, on red; its first frames may be black."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    frames[:, :, width // 2 :] = (200, 0, 0)
    frames[:, :, : width // 2, 1] = np.linspace(0, 250, count).astype(np.uint8)[:, None, None]
    frames[:black] = 0
    return planes(frames)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("previews")


@pytest.fixture(scope="module")
def made(folder: Path) -> dict[str, PreviewFile]:
    return {each.name: each for each in film_previews(film(240, 640, 360), FPS, "0", folder)}


def opened(folder: Path, preview: PreviewFile) -> Image.Image:
    with Image.open(folder / preview.path) as image:
        assert ("WEBP", (preview.width, preview.height)) == (image.format, image.size)
        return image.convert("RGB")


def close(expected: tuple[int, int, int], found: object) -> bool:
    return bool(np.abs(np.subtract(found, expected)).max() < 16)  # type: ignore[call-overload]


def test_a_film_has_four_previews(made: dict[str, PreviewFile]) -> None:
    sizes = {name: (each.width, each.height) for name, each in made.items()}
    assert {"thumbnail": (320, 180), "poster": (640, 360), "strip": (1600, 90), "web": (480, 270)} == sizes
    assert "video/mp4" == made["web"].media_type


def test_the_strip_has_ten_frames_in_order(made: dict[str, PreviewFile], folder: Path) -> None:
    image = opened(folder, made["strip"])
    greens = [image.getpixel((160 * number + 40, 45))[1] for number in range(10)]  # type: ignore[index]
    assert sorted(greens) == greens
    assert all(abs(green - 250 * number / 9) < 16 for number, green in enumerate(greens))
    assert all(close((200, 0, 0), image.getpixel((160 * number + 120, 45))) for number in range(10))


def test_the_poster_has_the_colors_of_the_first_frame(made: dict[str, PreviewFile], folder: Path) -> None:
    for name in ("poster", "thumbnail"):
        image = opened(folder, made[name])
        assert close((0, 0, 0), image.getpixel((image.width // 4, image.height // 2)))
        assert close((200, 0, 0), image.getpixel((3 * image.width // 4, image.height // 2)))


def test_a_film_that_begins_black_is_shown_by_a_later_frame(tmp_path: Path) -> None:
    made = film_previews(film(100, 64, 64, black=30), FPS, "0", tmp_path)
    image = opened(tmp_path, made[1])
    assert ("poster", True) == (made[1].name, close((200, 0, 0), image.getpixel((48, 32))))


def test_a_film_of_one_color_has_a_poster_all_the_same(tmp_path: Path) -> None:
    made = film_previews(film(20, 64, 64, black=20), FPS, "0", tmp_path)
    assert close((0, 0, 0), opened(tmp_path, made[1]).getpixel((48, 32)))


def test_the_short_film_is_the_first_five_seconds(made: dict[str, PreviewFile], folder: Path) -> None:
    found = decode_video((folder / made["web"].path).read_bytes(), "mp4")
    assert ("h264", "yuv420p", 12.0, 60) == (found.codec, found.pixel_format, found.fps, len(found.frames))
    assert abs(found.duration - 5.0) < 0.1
    greens = found.frames[:, 135, 120, 1].astype(int)
    assert abs(greens[0]) < 16
    assert abs(greens[-1] - 250 * 118 / 239) < 16
    assert close((200, 0, 0), found.frames[30, 135, 360])


@pytest.mark.parametrize(("count", "fps", "frames", "seconds"), [(1, 8, 1, 0.125), (16, 8, 16, 2.0), (30, 25, 10, 1.2)])
def test_a_short_film_keeps_its_duration(tmp_path: Path, count: int, fps: int, frames: int, seconds: float) -> None:
    *_, web = film_previews(film(count, 50, 34), fps, "0", tmp_path)
    found = decode_video((tmp_path / web.path).read_bytes(), "mp4")
    assert (frames, 50, 34) == (len(found.frames), web.width, web.height)
    assert abs(found.duration - seconds) < 0.01


def test_a_strip_goes_from_the_first_frame_to_the_last() -> None:
    assert [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] == strip_numbers(10)
    assert (0, 240) == (strip_numbers(241)[0], strip_numbers(241)[-1])
    assert [0] * 10 == strip_numbers(1)


def test_a_film_with_transparency_is_shown_on_white(tmp_path: Path) -> None:
    alpha = np.zeros((48, 64, 96), np.uint8)
    alpha[:, :, 48:] = 255
    made = film_previews(OnWhite(film(48, 96, 64), alpha), FPS, "0", tmp_path)
    for preview in made[:2]:
        image = opened(tmp_path, preview)
        assert close((255, 255, 255), image.getpixel((10, 30)))
        assert close((200, 0, 0), image.getpixel((80, 30)))
