from io import BytesIO
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from core.errors.failures import EncodeFailed
from jobs.params.video import VideoParams
from pipelines.runtime.protocol import Output, Outputs, RawOutput, load_raw, save_raw
from pipelines.video.encode import encode, encode_film
from tests.support.media.videos import DecodedVideo, decode_video, planes, psnr, scene

FPS = 24
CODECS = {"mp4": "h264", "webm": "vp9"}
LIMITED_BT709 = (1, 1, 1, 1)


def moving(count: int) -> np.ndarray:
    """The video of a scene that slides to the left by two pixels a frame."""
    return planes(images(count))


def images(count: int, width: int = 256, height: int = 192) -> np.ndarray:
    """The same in RGB."""
    still = np.asarray(scene((width + 2 * count, height)))
    return np.stack([still[:, 2 * n : 2 * n + width] for n in range(count)])


def written(folder: Path, frames: np.ndarray, output_format: str = "mp4", **facts: Any) -> tuple[Outputs, bytes]:
    raw = RawOutput(arrays={"frames": frames}, metadata={"fps": FPS, **facts})
    outputs = encode(raw, VideoParams(prompt="a secret", output_format=output_format), folder)
    return outputs, (folder / outputs.files[0].path).read_bytes()


def sequence_header(data: bytes, field: str) -> str:
    """What FFmpeg's reader of H.264 headers says of a field."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as lines, av.open(BytesIO(data)) as file:
            BitStreamFilterContext("trace_headers", file.streams.video[0])
    finally:
        av.logging.set_level(level)
    return next(line for _, _, line in lines if field in line)


@pytest.mark.parametrize("container", CODECS)
class TestBothFormats:
    @pytest.fixture
    def video(self, tmp_path: Path, container: str) -> DecodedVideo:
        return decode_video(written(tmp_path, moving(49), container)[1], container)

    def test_what_is_said_of_the_file(self, tmp_path: Path, container: str) -> None:
        outputs, _ = written(tmp_path, moving(49), container)

        expected = Output(
            path=f"0.{container}",
            media_type=f"video/{container}",
            width=256,
            height=192,
            duration=round(49 / FPS, 6),
        )
        assert Outputs(files=(expected,)) == outputs

    @pytest.mark.matrix
    def test_frames_size_and_duration_read_back(self, video: DecodedVideo, container: str) -> None:
        assert (49, 192, 256, 3) == video.frames.shape
        assert (FPS, CODECS[container], "yuv420p") == (video.fps, video.codec, video.pixel_format)
        assert 49 / FPS == pytest.approx(video.duration, abs=0.002)

    @pytest.mark.matrix
    def test_every_frame_is_the_one_that_went_in(self, video: DecodedVideo) -> None:
        assert min(psnr(sent, got) for sent, got in zip(images(49), video.frames, strict=True)) > 30

    @pytest.mark.matrix
    def test_a_keyframe_at_least_every_second(self, video: DecodedVideo) -> None:
        assert 0 == video.keyframes[0]
        assert max(np.diff([*video.keyframes, 49])) <= FPS

    @pytest.mark.matrix
    def test_the_colors_are_said_to_be_bt709_in_limited_range(self, video: DecodedVideo) -> None:
        assert LIMITED_BT709 == video.colors

    def test_chroma_is_said_to_sit_in_the_middle_of_its_pixels(self, tmp_path: Path, container: str) -> None:
        data = written(tmp_path, moving(2), container)[1]

        if container == "webm":  # ChromaSitingHorz and ChromaSitingVert: 2 is half
            assert b"\x55\xb7\x81\x02\x55\xb8\x81\x02" in data
        else:
            assert "= 1" in sequence_header(data, "chroma_sample_loc_type_top_field")

    def test_flat_colors_come_back(self, tmp_path: Path, container: str) -> None:
        colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [200, 120, 40]], np.uint8)
        frames = np.tile(colors[:, None, None, :], (1, 64, 64, 1)).repeat(4, axis=0)

        video = decode_video(written(tmp_path, planes(frames), container)[1], container)

        assert np.abs(video.frames.astype(int) - frames).max() <= 6

    @pytest.mark.matrix
    def test_the_same_frames_give_the_same_bytes(self, tmp_path: Path, container: str) -> None:
        first, second = (written(tmp_path, moving(30), container)[1] for _ in range(2))

        assert first == second

    @pytest.mark.matrix
    @pytest.mark.parametrize("size", [(64, 64), (96, 96), (192, 192)])
    def test_and_so_do_restless_ones_of_any_width_wherever_they_lie(
        self, tmp_path: Path, container: str, size: tuple[int, int]
    ) -> None:
        """What an encoder reads beyond its frames is different each time, and must not matter."""
        random = np.random.default_rng(1)
        blocks = random.integers(0, 256, (16, size[1] // 8, size[0] // 8, 3)).repeat(8, axis=1).repeat(8, axis=2)
        noisy = (blocks + random.integers(-20, 20, blocks.shape)).clip(0, 255).astype(np.uint8)
        noisy[0] = 128
        frames = planes(noisy)
        made, between = set(), []
        for number in range(8):
            between = [*between[-4:], np.full(random.integers(1, 6_000_000), number, np.uint8)]
            save_raw(RawOutput(arrays={"frames": frames}, metadata={"fps": FPS}), tmp_path / str(number))
            made.add(written(tmp_path, load_raw(tmp_path / str(number)).arrays["frames"], container)[1])

        assert 1 == len(made)

    @pytest.mark.matrix
    def test_nothing_is_told_of_the_job(self, tmp_path: Path, video: DecodedVideo, container: str) -> None:
        assert b"secret" not in written(tmp_path, moving(2), container)[1]
        assert {"comment", "title", "creation_time"}.isdisjoint(name.lower() for name in video.metadata)

    @pytest.mark.parametrize("count", [1, 2])
    def test_the_shortest_films(self, tmp_path: Path, container: str, count: int) -> None:
        assert count == len(decode_video(written(tmp_path, moving(count), container)[1], container).frames)

    def test_frames_that_came_through_a_folder(self, tmp_path: Path, container: str) -> None:
        save_raw(RawOutput(arrays={"frames": moving(5)}, metadata={"fps": FPS}), tmp_path / "raw")

        outputs = encode(load_raw(tmp_path / "raw"), VideoParams(output_format=container), tmp_path)

        assert (tmp_path / outputs.files[0].path).read_bytes() == written(tmp_path, moving(5), container)[1]


def test_mp4_has_its_index_first(tmp_path: Path) -> None:
    data = written(tmp_path, moving(30))[1]

    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("output_format", ["webp", "jpeg", "png"])
def test_a_format_of_images_gives_mp4_and_a_warning(tmp_path: Path, output_format: str) -> None:
    outputs, data = written(tmp_path, moving(2), output_format)

    assert ("0.mp4", "video/mp4") == (outputs.files[0].path, outputs.files[0].media_type)
    assert (f"`output_format` {output_format} is for images; this video is mp4",) == outputs.warnings
    assert b"ftyp" == data[4:8]


@pytest.mark.parametrize(
    ("frames", "facts", "says"),
    [
        (np.zeros((2, 64, 64, 3), np.uint8), {}, "n x height \\* 3/2 x width"),
        (np.zeros((2, 96, 64), np.float32), {}, "uint8"),
        (np.zeros((96, 64), np.uint8), {}, "n x height"),
        (np.zeros((0, 96, 64), np.uint8), {}, "n x height"),
        (np.zeros((2, 64, 64), np.uint8), {}, "n x height"),
        (np.zeros((2, 96, 63), np.uint8), {}, "63x64 has an odd side"),
        (np.zeros((2, 96, 64), np.uint8), {"fps": None}, "`fps`"),
        (np.zeros((2, 96, 64), np.uint8), {"fps": 0}, "`fps`"),
    ],
)
def test_what_is_no_film(tmp_path: Path, frames: np.ndarray, facts: dict[str, Any], says: str) -> None:
    with pytest.raises(EncodeFailed, match=says):
        written(tmp_path, frames, **facts)


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [("webm", (2, 64, 32), "n x height x width"), ("mp4", (2, 64, 64), "mp4 has no transparency")],
)
def test_what_is_no_transparency(tmp_path: Path, name: str, shape: tuple[int, ...], says: str) -> None:
    arrays = {"frames": np.zeros((2, 96, 64), np.uint8), "alpha": np.zeros(shape, np.uint8)}
    with pytest.raises(EncodeFailed, match=says):
        encode_film(RawOutput(arrays=arrays, metadata={"fps": FPS}), name, tmp_path, is_marked=False)


def test_a_missing_folder_is_this_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        written(tmp_path / "nowhere", moving(1))
