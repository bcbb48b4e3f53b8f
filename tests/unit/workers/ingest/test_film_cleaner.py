"""The cleaner of films, through the sanitizer: what becomes of a film, and what is refused."""

from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from core.errors.fields import NotThisModel
from core.errors.inputs import UnsupportedMedia
from jobs.params.video import VideoParams
from pipelines.runtime.protocol import RawOutput
from pipelines.video.encode import encode
from tests.support.media.cleaning import code_of
from tests.support.media.videos import decode_video, planes, psnr, scene

SIZE = (96, 64)


def made(folder: Path, count: int = 12, fps: int = 12, name: str = "mp4") -> bytes:
    """A film as this service makes it: a window that moves over a still."""
    still = np.asarray(scene((SIZE[0] + count, SIZE[1])))
    frames = np.stack([still[:, number : number + SIZE[0]] for number in range(count)])
    raw = RawOutput(arrays={"frames": planes(frames)}, metadata={"fps": fps})
    (output,) = encode(raw, VideoParams(output_format=name), folder).files
    return (folder / output.path).read_bytes()


def written(frames: list[np.ndarray], times: list[float], container: str = "mp4", **options: str) -> bytes:
    """A film whose frames have any times, by another encoder."""
    file = BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.time_base = Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize("name", ["mp4", "webm"])
def test_a_film_of_this_service_stays_as_it_is(clean, tmp_path, name):
    film = made(tmp_path, name=name)
    cleaned = clean(film, "video")
    assert "video/mp4" == cleaned.media_type
    before, after = decode_video(film, name), decode_video(cleaned.file.read_bytes(), "mp4")
    assert before.frames.shape == after.frames.shape
    assert (12.0, "h264", "yuv420p", (1, 1, 1, 1)) == (after.fps, after.codec, after.pixel_format, after.colors)
    assert psnr(before.frames, after.frames) > 42


def test_nothing_but_moving_pictures_is_left(clean, tmp_path):
    cleaned = clean(made(tmp_path), "video")
    with av.open(str(cleaned.file)) as file:
        assert ["video"] == [stream.type for stream in file.streams]
        assert not file.metadata.keys() - {"major_brand", "minor_version", "compatible_brands"}


@pytest.mark.parametrize("delay", [-0.25, 0.0, 0.25])
def test_its_sound_begins_with_its_frames(clean, delay):
    """A click half a second after the first sample, which is heard `delay` seconds after the first frame."""
    samples = np.zeros((1, 36_000), np.int16)
    samples[0, 24_000:24_480] = 20_000
    file = BytesIO()
    with av.open(file, "w", format="mov") as out:
        pictures, sound = out.add_stream("mpeg4", rate=12), out.add_stream("pcm_s16le", rate=48_000, layout="mono")
        pictures.width, pictures.height, pictures.pix_fmt = 96, 64, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 90, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number + 6, Fraction(1, 12)
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
        heard = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        heard.sample_rate, heard.time_base, heard.pts = 48_000, Fraction(1, 48_000), round((0.5 + delay) * 48_000)
        out.mux(sound.encode(heard))
        out.mux(sound.encode(None))
    with av.open(str(clean(file.getvalue(), "video").file)) as cleaned:
        assert ["video", "audio"] == [stream.type for stream in cleaned.streams]
        copy = np.concatenate([frame.to_ndarray()[0] for frame in cleaned.decode(audio=0)]).astype(float)
    assert abs(int(np.argmax(np.abs(copy) > 5_000)) - (0.5 + delay) * 48_000) < 96
    assert len(copy) <= 48_000


@pytest.mark.parametrize(("frame", "number"), [("last", 11), ("middle", 5)])
def test_one_picture_of_a_film(clean, tmp_path, frame, number):
    film = made(tmp_path)
    cleaned = clean(film, "image", frame=frame)
    assert "image/png" == cleaned.media_type
    frames = decode_video(film, "mp4").frames
    likeness = [psnr(each, np.asarray(Image.open(cleaned.file))) for each in frames]
    assert number == int(np.argmax(likeness))
    assert likeness[number] > 38


def test_frames_are_shown_for_as_long_as_before(clean):
    colors = [np.full((64, 96, 3), value, np.uint8) for value in (0, 120, 240)]
    cleaned = clean(written(colors, [0.0, 0.2, 0.3]), "video")
    shown = decode_video(cleaned.file.read_bytes(), "mp4")
    light = shown.frames.mean(axis=(1, 2, 3)).round(-1).astype(int).tolist()
    assert [0, 120, 240] == list(dict.fromkeys(light))
    assert abs(light.count(0) / shown.fps - 0.2) <= 1 / shown.fps


def test_odd_sides_become_even(clean):
    pixels = [np.full((64, 96, 3), 90, np.uint8)] * 3
    data = written(pixels, [0.0, 0.1, 0.2])
    assert (64, 96) == decode_video(clean(data, "video").file.read_bytes(), "mp4").frames.shape[1:3]


def test_a_film_that_is_too_long_for_its_model(clean, tmp_path):
    film = made(tmp_path, count=24, fps=12)
    assert clean(film, "video", max_seconds=2.0).file.exists()
    with pytest.raises(NotThisModel, match=r"films of at most 1 s"):
        clean(film, "video", max_seconds=1.0)


def test_media_types_are_judged_by_the_content(clean, tmp_path):
    with pytest.raises(UnsupportedMedia, match="The model takes WebM, and this is MP4"):
        clean(made(tmp_path), "video", types=("video/webm",))
    assert "unsupported_media" == code_of(clean, b"\x89PNG\r\n\x1a\n" + bytes(80), "video")


def test_a_film_without_a_frame_is_refused(clean, tmp_path):
    assert "input_unreadable" == code_of(clean, made(tmp_path)[:40], "video")


def test_a_picture_below_the_least_side_is_refused(clean):
    file = BytesIO()
    Image.new("RGB", (300, 299)).save(file, "PNG")
    with pytest.raises(NotThisModel, match="300x299 pixels, and 300x300 are the least"):
        clean(file.getvalue(), min_side=300)
    assert clean(file.getvalue(), min_side=299).file.exists()
