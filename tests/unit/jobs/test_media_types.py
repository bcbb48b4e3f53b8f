"""Files of real encoders, recognized by their first bytes."""

import io
import wave

import av
import numpy as np
import pytest
from PIL import Image

from core.errors.inputs import UnsupportedMedia
from jobs.media_types import AS_AUDIO, HEAD, TYPES, expect, sniff


def image_file(format_: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(file, format_)
    return file.getvalue()


def video_file(container: str, codec: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def audio_file(container: str, codec: str, rate: int = 48_000) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        for _ in range(4):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2000), np.int16), format="s16", layout="mono")
            frame.rate = rate
            resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size)
            for part in resampler.resample(frame):
                output.mux(stream.encode(part))
        output.mux(stream.encode())
    return file.getvalue()


def tone() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(8000)
        output.writeframes(b"\0" * 100)
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "media_type"),
    [
        (lambda: image_file("PNG"), "image/png"),
        (lambda: image_file("JPEG"), "image/jpeg"),
        (lambda: image_file("WEBP"), "image/webp"),
        (lambda: image_file("GIF"), "image/gif"),
        (lambda: image_file("BMP"), "image/bmp"),
        (lambda: image_file("TIFF"), "image/tiff"),
        (lambda: image_file("AVIF"), "image/avif"),
        (tone, "audio/wav"),
        (lambda: audio_file("mp3", "mp3"), "audio/mpeg"),
        (lambda: b"\xff\xfb\x90\x64" + bytes(60), "audio/mpeg"),  # without an ID3 tag
        (lambda: audio_file("ogg", "libopus"), "audio/ogg"),
        (lambda: audio_file("flac", "flac"), "audio/flac"),
        (lambda: audio_file("ipod", "aac"), "audio/mp4"),
        (lambda: audio_file("adts", "aac"), "audio/aac"),
        (lambda: video_file("mp4", "libx264"), "video/mp4"),
        (lambda: video_file("webm", "libvpx-vp9"), "video/webm"),
    ],
)
def test_a_file_is_recognized_by_its_head(make, media_type):
    content = make()
    assert media_type == sniff(content[:HEAD])
    kind = media_type.partition("/")[0]
    assert media_type == expect(content[:HEAD], kind)
    is_heard = kind in ("audio", "video")
    assert not is_heard or AS_AUDIO.get(media_type, media_type) == expect(content[:HEAD], "recording")
    for other in TYPES.keys() - {kind, "recording" if is_heard else kind}:
        if other == "audio" and media_type in AS_AUDIO:
            continue
        with pytest.raises(UnsupportedMedia):
            expect(content[:HEAD], other)


def test_a_lora_is_safetensors_and_no_pickle():
    head = (500).to_bytes(8, "little") + b'{"blocks.0.to_q.lora_A.weight": {'
    assert "application/x-safetensors" == expect(head, "lora")
    for pickle in (b"PK\x03\x04" + bytes(60), b"\x80\x02}q\x00."):
        with pytest.raises(UnsupportedMedia, match="send a LoRA as safetensors"):
            expect(pickle, "lora")


@pytest.mark.parametrize(
    ("head", "sniffed", "as_audio"),
    [
        (b"\0\0\0\x1cftypisom" + bytes(20), "video/mp4", "audio/mp4"),
        (b"\0\0\0\x1cftypiso5" + bytes(20), "video/mp4", "audio/mp4"),
        (b"\0\0\0\x1cftypmp42" + bytes(20), "video/mp4", "audio/mp4"),
        (b"\0\0\0\x1cftyp3gp4" + bytes(20), "video/3gpp", "audio/mp4"),
        (b"\0\0\0\x1cftyp3g2a" + bytes(20), "video/3gpp", "audio/mp4"),
        (b"\0\0\0\x14ftypqt  " + bytes(20), "video/quicktime", "audio/mp4"),
        (b"\x1aE\xdf\xa3\xa3\x42\x82\x84webm", "video/webm", "audio/webm"),
        (b"\x1aE\xdf\xa3\xa3\x42\x82\x88matroska", "video/matroska", "audio/webm"),
    ],
)
def test_a_container_of_films_may_hold_a_recording(head, sniffed, as_audio):
    """Recorders of phones and browsers write the same first bytes as for a film."""
    assert (sniffed, as_audio) == (sniff(head), expect(head, "audio"))
    with pytest.raises(UnsupportedMedia):
        expect(head, "image")


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\0\0\0\x1cftypheic" + bytes(4) + b"mif1heic", "image/heic"),
        (b"\0\0\0\x1cftypheix" + bytes(4) + b"mif1heix", "image/heic"),
        (b"\0\0\0\x1cftypmif1" + bytes(4) + b"mif1heic", "image/heic"),
        (b"\0\0\0\x1cftypmif1" + bytes(4) + b"mif1avif", "image/avif"),
        (b"\0\0\0\x1cftypavif" + bytes(4) + b"avifmif1", "image/avif"),
        (b"\0\0\0\x1cftypavis" + bytes(4) + b"avisavif", "image/avif"),
    ],
)
def test_images_in_the_container_of_films(head, media_type):
    assert media_type == sniff(head)
    with pytest.raises(UnsupportedMedia):
        expect(head, "audio")


def test_heic_is_refused_by_its_name():
    with pytest.raises(UnsupportedMedia) as caught:
        expect(b"\0\0\0\x1cftypheic" + bytes(20), "image")
    assert caught.value.detail.startswith("This file is an HEIC picture, as phones take them, judged by its content;")


@pytest.mark.parametrize(
    ("second", "media_type"), [(0xF1, "audio/aac"), (0xF9, "audio/aac"), (0xF0, "audio/aac"), (0xFB, "audio/mpeg")]
)
def test_the_layer_tells_aac_from_mp3(second, media_type):
    assert media_type == sniff(bytes([0xFF, second, 0x50, 0x80]) + bytes(60))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x89PN",
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        b"#EXTM3U\n/etc/passwd",
        b"BM, or so I thought when I wrote this text",
        b"RIFF\x24\0\0\0AVI LIST",
        b"\0\0\0\x1cftypjp2 " + bytes(20),
        b"\0\0\0\x14ftypcrx " + bytes(20),
        b"\x1aE\xdf\xa3\xa3\x42\x82\x88matroskb",
        b"\xff\xf6\x50\x80",  # a layer that AAC does not have
        b"\xff",
        b"\xff\xfe<\0h\0t\0m\0l\0",  # UTF-16
        b"PK\x03\x04",
    ],
)
def test_what_is_not_taken(head):
    assert sniff(head) is None


def test_the_refusal_says_what_to_send():
    with pytest.raises(UnsupportedMedia) as caught:
        expect(b"%PDF-1.7", "image", field="$.image_url")
    assert "send an image as PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF." in caught.value.detail
    assert "$.image_url" == caught.value.field
    with pytest.raises(UnsupportedMedia, match=r"This file is image/png, .* send a video as MP4, WebM or MOV\."):
        expect(b"\x89PNG\r\n\x1a\n", "video")
