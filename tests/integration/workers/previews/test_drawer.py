"""Previews of files as strangers send them, drawn in the confined process."""

import io
import json
import struct
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors.inputs import InputTooLarge
from jobs.params.video import VideoParams
from pipelines.runtime.protocol import RawOutput
from pipelines.video.encode import encode
from tests.support.media.documents import pdf
from tests.support.media.videos import decode_video, planes
from workers.previews.drawer import Drawer
from workers.previews.messages import DrawResult
from workers.previews.moving import draw_film, draw_sound

RED, BLUE = (230, 20, 20), (20, 20, 230)
Draw = Callable[[bytes], DrawResult]


@pytest.fixture(scope="module")
def drawer() -> Iterator[Drawer]:
    drawer = Drawer()
    yield drawer
    drawer.close()


@pytest.fixture
def draw(drawer: Drawer, tmp_path: Path) -> Draw:
    def draw(content: bytes) -> DrawResult:
        tmp_path.chmod(0o700)
        folder = tmp_path / "file"
        folder.mkdir()
        (folder / "source").write_bytes(content)
        drawn = drawer.draw(folder, seconds=30, max_pixels=4_000_000)
        assert drawn is not None
        return drawn

    return draw


def sizes(drawn: DrawResult) -> dict[str, tuple[int | None, int | None]]:
    return {preview.name: (preview.width, preview.height) for preview in drawn.previews}


def opened(folder: Path, drawn: DrawResult, name: str) -> Image.Image:
    (preview,) = (each for each in drawn.previews if each.name == name)
    with Image.open(folder / "file" / preview.path) as image:
        assert (preview.width, preview.height) == image.size
        return image.convert("RGB")


def near(expected: tuple[int, int, int], image: Image.Image, x: float, y: float) -> bool:
    found = image.getpixel((int(x * image.width), int(y * image.height)))
    return bool(np.abs(np.subtract(found, expected)).max() < 30)  # type: ignore[call-overload]


def halves(width: int, height: int) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), BLUE)
    image.paste(RED, (0, 0, width // 2, height))
    return image


def film(folder: Path, *, count: int = 120, fps: int = 24, ending: str = "mp4") -> bytes:
    """A film that goes from red to blue, on its right half white."""
    frames = np.full((count, 96, 160, 3), 255, np.uint8)
    steps = np.linspace(0, 1, count)[:, None]
    frames[:, :, :80] = (np.array(RED) * (1 - steps) + np.array(BLUE) * steps)[:, None, None]
    raw = RawOutput(arrays={"frames": planes(frames)}, metadata={"fps": fps})
    encode(raw, VideoParams(prompt="x", output_format=ending), folder)  # type: ignore[arg-type]
    return (folder / f"0.{ending}").read_bytes()


def turned(content: bytes) -> bytes:
    """The film as a phone writes it that was held upright: a quarter to the right, for the player to do."""
    start = content.index(b"tkhd") + 4 + 4 + 20 + 16
    matrix = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    return content[:start] + matrix + content[start + len(matrix) :]


def glb(*, color: tuple[int, int, int] | None = None, required: str | None = None, count: int = 6) -> bytes:
    """A square of two triangles that faces +z, with a picture of one color on it, or without."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    return mesh_file(corners, np.array([0, 1, 2, 0, 2, 3], np.uint32), color=color, required=required, count=count)


def mesh_file(
    corners: np.ndarray,
    faces: np.ndarray,
    *,
    color: tuple[int, int, int] | None = None,
    required: str | None = None,
    count: int | None = None,
) -> bytes:
    """A GLB of these triangles, of which it says that there are `count` corners."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), color or (0, 0, 0)).save(picture, "PNG")
    parts = [corners.tobytes(), faces.tobytes(), np.zeros((len(corners), 2), np.float32).tobytes()]
    parts.append(picture.getvalue() + b"\0" * (-len(picture.getvalue()) % 4))
    places = np.cumsum([0, *map(len, parts)]).tolist()
    attributes = {"POSITION": 0, "TEXCOORD_0": 2}
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "translation": [5, 0, 0]}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 1} | ({"material": 0} if color else {})]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(corners), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": count or faces.size, "type": "SCALAR"},
            {"bufferView": 2, "componentType": 5126, "count": len(corners), "type": "VEC2"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": place, "byteLength": len(part)}
            for place, part in zip(places, parts, strict=False)
        ],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
    } | ({"extensionsRequired": [required]} if required else {})
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(parts)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def test_a_picture_is_upright(draw: Draw, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    file = io.BytesIO()
    halves(640, 320).save(file, "JPEG", exif=exif)
    drawn = draw(file.getvalue())
    assert {"thumbnail": (160, 320)} == sizes(drawn)
    assert (320, 640) == (drawn.width, drawn.height)
    image = opened(tmp_path, drawn, "thumbnail")
    assert near(RED, image, 0.5, 0.1)
    assert near(BLUE, image, 0.5, 0.9)


def test_a_film_has_frames_in_order(draw: Draw, tmp_path: Path) -> None:
    drawn = draw(film(tmp_path))
    assert {"thumbnail": (160, 96), "poster": (160, 96), "strip": (1600, 96), "web": (160, 96)} == sizes(drawn)
    assert (160, 96) == (drawn.width, drawn.height)
    assert drawn.duration_seconds == pytest.approx(5.0, abs=0.1)
    sheet = opened(tmp_path, drawn, "strip")
    reds = [sheet.getpixel((160 * number + 40, 48))[0] for number in range(10)]  # type: ignore[index]
    assert sorted(reds, reverse=True) == reds
    assert np.abs(np.diff(reds) + 21).max() < 10
    assert all(near((255, 255, 255), sheet, (160 * number + 120) / 1600, 0.5) for number in range(10))
    short = decode_video((tmp_path / "file/preview-web.mp4").read_bytes(), "mp4")
    assert (60, 12.0) == (len(short.frames), short.fps)
    assert abs(int(short.frames[0, 48, 40, 0]) - 230) < 20
    assert abs(int(short.frames[-1, 48, 40, 2]) - 230) < 20


@pytest.mark.long
def test_a_long_film_is_shortened(draw: Draw, tmp_path: Path) -> None:
    drawn = draw(film(tmp_path, count=200, fps=10, ending="webm"))
    assert drawn.duration_seconds == pytest.approx(20.0, abs=0.2)
    short = decode_video((tmp_path / "file/preview-web.mp4").read_bytes(), "mp4")
    assert (50, 10.0) == (len(short.frames), short.fps)


def test_a_film_of_a_phone_is_upright(draw: Draw, tmp_path: Path) -> None:
    drawn = draw(turned(film(tmp_path, count=24)))
    assert {"thumbnail": (96, 160), "poster": (96, 160), "strip": (960, 160), "web": (96, 160)} == sizes(drawn)
    assert (96, 160) == (drawn.width, drawn.height)
    image = opened(tmp_path, drawn, "poster")
    assert near((255, 255, 255), image, 0.5, 0.75)
    assert image.getpixel((48, 40))[0] > 200 > image.getpixel((48, 40))[1]  # type: ignore[index]


def test_a_film_that_takes_too_long_is_cut_short(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(film(tmp_path))
    made, *_ = draw_film(tmp_path / "source", "video/mp4", "preview", tmp_path, allowed=0.0)
    assert ["thumbnail", "poster", "strip", "web"] == [preview.name for preview in made]
    assert 1600 == made[2].width
    assert 1 == len(decode_video((tmp_path / made[3].path).read_bytes(), "mp4").frames)


def test_a_recording_that_takes_too_long_has_no_peaks(tmp_path: Path) -> None:
    file = tmp_path / "source"
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(bytes(16_000))
    with pytest.raises(InputTooLarge):
        draw_sound(file, "audio/wav", "preview", tmp_path, allowed=0.0)


@pytest.mark.parametrize("channels", [1, 2])
def test_peaks_follow_the_loudness(draw: Draw, tmp_path: Path, channels: int) -> None:
    tone = np.sin(np.arange(88_200) * 0.3) * np.repeat([0.1, 1.0], 44_100)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((channels, 2, 44_100, 0, "NONE", ""))
        stereo = np.stack([tone, -tone][:channels], axis=1)  # mixed, they would cancel each other
        out.writeframes((stereo * 32_767).astype("<i2").tobytes())
    drawn = draw(file.getvalue())
    assert {"peaks": (800, None), "thumbnail": (320, 60)} == sizes(drawn)
    assert drawn.duration_seconds == pytest.approx(2.0, abs=0.01)
    pairs = np.fromfile(tmp_path / "file/preview-peaks.bin", np.int8).reshape(800, 2)
    assert np.abs(pairs[5:395, 1].astype(int) - 13).max() <= 2
    assert np.abs(pairs[405:795, 1].astype(int) - 127).max() <= 8
    assert near((255, 255, 255), opened(tmp_path, drawn, "thumbnail"), 0.25, 0.05)


def test_the_first_page_of_a_document(draw: Draw, tmp_path: Path) -> None:
    drawn = draw(pdf(("1 0 0", 0, 150, 200, 150), ("0 0 1", 0, 0, 100, 150), pages=3))
    assert {"thumbnail": (213, 320), "poster": (800, 1200)} == sizes(drawn)
    for name in ("thumbnail", "poster"):
        image = opened(tmp_path, drawn, name)
        assert near((255, 0, 0), image, 0.5, 0.25)
        assert near((0, 0, 255), image, 0.25, 0.75)
        assert near((255, 255, 255), image, 0.75, 0.75)


def test_a_mesh_is_drawn_with_its_picture(draw: Draw, tmp_path: Path) -> None:
    drawn = draw(glb(color=RED))
    assert {"thumbnail": (320, 320), "poster": (320, 320)} == sizes(drawn)
    image = opened(tmp_path, drawn, "thumbnail")
    red, green, _ = image.getpixel((160, 160))  # type: ignore[misc]
    assert red > 100 > 40 > green
    assert near((246, 246, 248), image, 0.01, 0.01)


def test_a_large_mesh_is_drawn_without_threads(draw: Draw, tmp_path: Path) -> None:
    """NumPy's multiplication of large matrices would start some, which the kernel refuses."""
    side = 260
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / (side - 1) * 2 - 1
    corners = np.stack([x, -y, np.sin(9 * x) * 0.2], axis=-1).reshape(-1, 3).astype(np.float32)
    first = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    below = first + side
    faces = np.concatenate([np.stack([first, below, first + 1], 1), np.stack([first + 1, below, below + 1], 1)])
    drawn = draw(mesh_file(corners, faces.astype(np.uint32)))
    assert ["thumbnail", "poster"] == [preview.name for preview in drawn.previews]
    shown = np.asarray(opened(tmp_path, drawn, "thumbnail")).astype(int)
    assert (np.abs(shown - (246, 246, 248)).max(axis=2) > 8).mean() > 0.5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"just text",
        b"%PDF-1.4 and no more",
        glb(required="KHR_draco_mesh_compression"),
        glb(count=99),
        glb()[:200],
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\0\0\0\x18ftypmp42" + bytes(100),
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(20),
    ],
    ids=["empty", "text", "pdf", "compressed", "beyond", "cut", "png", "mp4", "wav"],
)
def test_what_cannot_be_drawn_has_no_previews(draw: Draw, content: bytes) -> None:
    drawn = draw(content)
    assert () == drawn.previews
    assert drawn.code
    assert drawn.message


def test_too_large_a_picture_is_not_decoded(draw: Draw) -> None:
    file = io.BytesIO()
    Image.new("1", (3000, 3000)).save(file, "PNG")
    assert ("input_too_large", ()) == ((drawn := draw(file.getvalue())).code, drawn.previews)
