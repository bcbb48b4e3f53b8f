"""What becomes of each kind of file: clean pixels, or a code; and what the decoding process may not do."""

import fcntl
import io
import os
import resource
import struct
import subprocess
import sys
import time
import wave
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from core.errors import AtelierError, NotThisModel
from tests.support.servers.media_server import encoded, png
from tests.support.service.processes import alive, descendants
from tests.support.wait import until
from workers.ingest.retry_later import RetryLater
from workers.ingest.sanitizer import Sanitizer, _read
from workers.ingest.sanitizer_process import SOURCE


@pytest.fixture(scope="module")
def sanitizer():
    made = Sanitizer()
    yield made
    made.close()


@pytest.fixture
def clean(sanitizer, tmp_path):
    def make(data, kind="image", seconds=15.0, **more):
        (tmp_path / SOURCE).write_bytes(data)
        return sanitizer.clean(kind, tmp_path, seconds=seconds, **more)

    return make


@pytest.fixture
def pixels(clean):
    """The clean copy of a picture, as Pillow reads it."""

    def make(data):
        copy = clean(data)
        assert "image/png" == copy.media_type
        image = Image.open(copy.file, formats=["PNG"])
        image.load()
        assert image.mode in ("RGB", "RGBA")
        assert set(image.info) <= {"transparency"}
        return image

    return make


def code_of(clean, data, kind="image"):
    with pytest.raises(AtelierError) as caught:
        clean(data, kind)
    return caught.value.code


def near(image, color, tolerance=3):
    return np.abs(np.asarray(image.convert("RGB"), dtype=int) - color).max() <= tolerance


def header(width, height):
    """A PNG that claims this size, and has next to nothing in it."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


class TestPictures:
    """Whatever goes in, 8-bit sRGB comes out."""

    def test_an_ordinary_image_keeps_its_pixels(self, pixels):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(3)))), np.asarray(pixels(png(3))))

    def test_a_cmyk_jpeg(self, pixels):
        assert near(pixels(encoded(Image.new("CMYK", (40, 30), (0, 255, 255, 0)), "JPEG")), (255, 0, 0), 8)

    @pytest.mark.parametrize(("value", "expected"), [(0, 0), (32768, 128), (65535, 255)])
    def test_a_16_bit_gray_png_is_scaled(self, pixels, value, expected):
        image = Image.fromarray(np.full((8, 8), value, dtype=np.uint16))
        assert near(pixels(encoded(image)), (expected,) * 3, 1)

    def test_a_16_bit_tiff(self, pixels):
        image = Image.fromarray(np.full((8, 8), 51400, dtype=np.uint16))
        assert near(pixels(encoded(image, "TIFF")), (200,) * 3, 1)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation_is_applied(self, pixels, orientation):
        """The picture as a viewer shows it is the same for all eight ways to store it."""
        shown = Image.new("RGB", (24, 16), "white")
        shown.paste("red", (0, 0, 12, 8))
        undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
        kept = shown.transpose(Image.Transpose(undo[orientation])) if orientation in undo else shown
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = pixels(encoded(kept, "JPEG", exif=exif.tobytes(), quality=95, subsampling=0))
        assert (24, 16) == image.size
        assert near(image.crop((1, 1, 11, 7)), (255, 0, 0), 12)
        assert near(image.crop((13, 9, 23, 15)), (255, 255, 255), 12)

    def test_broken_exif_is_ignored(self, pixels):
        assert (16, 16) == pixels(encoded(Image.new("RGB", (16, 16)), "JPEG", exif=b"Exif\0\0II*\0garbage")).size

    def test_the_first_frame_of_an_animation(self, pixels):
        frames = [Image.new("P", (9, 9), 0) for _ in range(3)]
        for frame, color in zip(frames, ([255, 0, 0], [0, 255, 0], [0, 0, 255]), strict=True):
            frame.putpalette(color)
        data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
        assert near(pixels(data), (255, 0, 0))

    def test_a_webp_with_alpha(self, pixels):
        image = Image.new("RGBA", (16, 16), (10, 200, 30, 255))
        image.paste((0, 0, 0, 0), (0, 0, 8, 16))
        cleaned = pixels(encoded(image, "WEBP", lossless=True, exact=True))
        assert "RGBA" == cleaned.mode
        assert [0, 255] == [cleaned.getpixel((x, 4))[3] for x in (2, 12)]

    def test_a_palette_with_transparency(self, pixels):
        image = Image.new("P", (8, 8), 1)
        image.putpalette([0, 0, 0, 250, 100, 50])
        image.putpixel((0, 0), 0)
        cleaned = pixels(encoded(image, "PNG", transparency=0))
        assert (0, (250, 100, 50, 255)) == (cleaned.getpixel((0, 0))[3], cleaned.getpixel((5, 5)))

    def test_an_opaque_alpha_is_dropped(self, pixels):
        assert "RGB" == pixels(encoded(Image.new("RGBA", (8, 8), (1, 2, 3, 255)))).mode

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA"])
    def test_modes_of_png(self, pixels, mode):
        assert (8, 8) == pixels(encoded(Image.new(mode, (8, 8)))).size

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
    def test_formats(self, pixels, format):
        assert near(pixels(encoded(Image.new("RGB", (8, 8), (40, 80, 160)), format)), (40, 80, 160), 12)

    def test_colors_go_through_the_embedded_profile(self, pixels):
        """In this profile red and green have changed places."""
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        assert near(pixels(encoded(Image.new("RGB", (8, 8), (9, 99, 199)), "PNG", icc_profile=lab)), (9, 99, 199))
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        swapped = srgb.replace(b"rXYZ", b"tmpX").replace(b"gXYZ", b"rXYZ").replace(b"tmpX", b"gXYZ")
        swapped = swapped.replace("sRGB".encode("utf-16-be"), "turn".encode("utf-16-be"))
        cleaned = pixels(encoded(Image.new("RGB", (8, 8), (255, 0, 0)), "PNG", icc_profile=swapped))
        assert near(cleaned, (0, 255, 0), 6)

    def test_a_profile_named_srgb_may_be_linear(self, pixels):
        """Programs embed a linear "sRGB": its middle grey is 55 of 255."""
        linear = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        place = linear.index(b"para")
        linear[place : place + 16] = b"para" + struct.pack(">IHHi", 0, 0, 0, 1 << 16)  # ICC.1, 10.18: y = x
        assert b"s\0R\0G\0B" in linear
        data = encoded(Image.new("RGB", (8, 8), (55, 55, 55)), "PNG", icc_profile=bytes(linear))
        assert near(pixels(data), (128, 128, 128), 1)

    def test_an_image_in_srgb_keeps_its_values(self, pixels):
        noise = Image.open(io.BytesIO(png(4)))
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        assert np.array_equal(np.asarray(noise), np.asarray(pixels(encoded(noise, "PNG", icc_profile=srgb))))

    def test_a_broken_profile_is_ignored(self, pixels):
        data = encoded(Image.new("RGB", (8, 8), (9, 99, 199)), "PNG", icc_profile=b"no profile at all" * 20)
        assert near(pixels(data), (9, 99, 199))

    def test_only_pixels_are_left(self, clean):
        exif = Image.Exif()
        exif[0x010E] = "a secret place"
        data = encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif.tobytes(), comment=b"a secret word")
        copy = clean(data).file.read_bytes()
        assert b"secret" not in copy
        assert {b"IHDR", b"IDAT", b"IEND"} == chunks(copy)


def chunks(data):
    found, place = set(), 8
    while place < len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        found.add(data[place + 4 : place + 8])
        place += 12 + size
    return found


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'


class TestRefused:
    """Files that fail their job, and how."""

    @pytest.mark.parametrize(
        "data",
        [SVG, b"just a text file, called picture.png", b"", b"%PDF-1.7", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"],
    )
    def test_files_that_are_not_images_are_refused(self, clean, data):
        assert "unsupported_media" == code_of(clean, data)

    def test_audio_for_an_image_and_the_reverse_are_refused(self, clean):
        assert "unsupported_media" == code_of(clean, tone())
        assert "unsupported_media" == code_of(clean, png(), "audio")

    @pytest.mark.parametrize(
        "data", [png(1, 64, 64)[:2000], png(1)[:-30], encoded(Image.new("RGB", (64, 64)), "JPEG")[:400]]
    )
    def test_a_truncated_image_is_refused(self, clean, data):
        assert "input_unreadable" == code_of(clean, data)

    def test_an_image_of_garbage_is_refused(self, clean):
        for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
            whole = encoded(Image.new("RGB", (64, 64)), format)
            garbage = whole[:20] + os.urandom(300)  # that of a GIF may name a large frame
            assert code_of(clean, garbage) in ("input_unreadable", "input_too_large")

    @pytest.mark.parametrize("size", [(8193, 8), (8, 8193), (8000, 8000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
    def test_too_many_pixels_are_refused_before_any_is_decoded(self, clean, size):
        assert "input_too_large" == code_of(clean, header(*size))

    def test_a_decompression_bomb(self, clean):
        """8000x8000 pixels in a few kB."""
        assert "input_too_large" == code_of(clean, encoded(Image.new("1", (8000, 8000))))

    @pytest.mark.parametrize(
        ("format", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("TIFF", {"compression": "tiff_lzw"})]
    )
    def test_a_decompression_bomb_of_another_format(self, clean, format, options):
        assert "input_too_large" == code_of(clean, encoded(Image.new("L", (9000, 4500)), format, **options))

    def test_floating_point_pixels(self, clean):
        assert "unsupported_media" == code_of(clean, encoded(Image.new("F", (8, 8)), "TIFF"))

    def test_a_video_is_refused(self, clean):
        assert "unsupported_media" == code_of(clean, b"\0\0\0\x20ftypisom" + bytes(60), "video")

    def test_a_full_disk_is_not_an_error_of_the_input(self, clean, tmp_path):
        (tmp_path / "clean.png").symlink_to("/dev/full")
        with pytest.raises(OSError, match="No space"):
            clean(png(1, 64, 64))

    def test_an_image_that_takes_too_long_may_be_retried(self, clean):
        with pytest.raises(RetryLater) as caught:
            clean(png(1, 4000, 4000), seconds=0.05)
        assert "input_unreadable" == caught.value.error.code


def tone(seconds=0.5, rate=8000, channels=2):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        samples = (8000 * np.sin(np.arange(int(seconds * rate)) / 5)).astype(np.int16)
        out.writeframes(np.repeat(samples, channels).tobytes())
    return file.getvalue()


def float_wav(samples, rate):
    """A WAV of 32-bit floating point; `samples` is (n, channels), in -1 to 1."""
    data, channels = samples.astype("<f4").tobytes(), samples.shape[1]
    form = struct.pack("<HHIIHH", 3, channels, rate, rate * 4 * channels, 4 * channels, 32)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def sound(format, codec, rate=48_000, seconds=1, silent=False):
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        samples = (0 if silent else 8000) * np.sin(np.arange(seconds * rate) / 20)
        frame = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], format="s16", layout="mono")
        frame.rate = rate
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate, frame_size=1024)
        for piece in (*resampler.resample(frame), None):
            for packet in stream.encode(piece):
                container.mux(packet)
    return file.getvalue()


class TestSounds:
    """16-bit WAV, one channel, its own rate."""

    def test_a_stereo_wav_becomes_one_channel(self, clean):
        copy = clean(tone(rate=11_025), "audio")
        assert "audio/wav" == copy.media_type
        with wave.open(str(copy.file)) as out:
            assert (1, 2, 11_025, 5512) == (
                out.getnchannels(),
                out.getsampwidth(),
                out.getframerate(),
                out.getnframes(),
            )

    @pytest.mark.parametrize(("format", "codec"), [("mp3", "libmp3lame"), ("flac", "flac"), ("ogg", "libopus")])
    def test_formats(self, clean, format, codec):
        with wave.open(str(clean(sound(format, codec), "audio").file)) as out:
            assert (1, 48_000) == (out.getnchannels(), out.getframerate())
            assert 0.9 < out.getnframes() / 48_000 < 1.1

    def test_floating_point_in_stereo_at_96_khz(self, clean):
        samples = 0.5 * np.sin(np.arange(96_000) / 30)
        with wave.open(str(clean(float_wav(np.stack([samples, samples], 1), 96_000), "audio").file)) as out:
            assert (1, 2, 96_000, 96_000) == (
                out.getnchannels(),
                out.getsampwidth(),
                out.getframerate(),
                out.getnframes(),
            )
            copy = np.frombuffer(out.readframes(96_000), np.int16) / 32_768
        assert np.abs(copy - samples).max() < 0.001

    def test_audio_too_short_for_the_model_is_refused(self, clean):
        with pytest.raises(NotThisModel) as caught:
            clean(tone(seconds=4.8), "audio", min_seconds=5.0)
        assert "The model requires a reference voice of more than 5 s; this one has 4.8 s." == caught.value.detail
        assert clean(tone(seconds=5.01), "audio", min_seconds=5.0).file.exists()

    @pytest.mark.parametrize("level", [0, 0.0005])
    def test_silence(self, clean, level):
        hum = level * np.sin(np.arange(48_000) / 30)
        assert "input_unreadable" == code_of(clean, float_wav(hum[:, None], 48_000), "audio")

    def test_one_click_in_a_silence_is_audio(self, clean):
        samples = np.zeros((8000, 1))
        samples[7000] = -1
        assert clean(float_wav(samples, 8000), "audio").file.exists()

    def test_more_than_a_minute_is_refused(self, clean):
        assert "input_too_large" == code_of(clean, tone(seconds=61), "audio")

    def test_hours_of_silence_in_a_small_file(self, tmp_path):
        """Refused at the end of the first minute, with next to nothing of the rest decoded."""
        script = (
            "import resource, sys; from pathlib import Path; from core.errors import InputTooLarge\n"
            "from workers.ingest.audio_cleaner import clean_audio\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "try:\n    clean_audio(Path(sys.argv[1]), 'audio/flac', Path(sys.argv[2]))\n"
            "except InputTooLarge:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
        )
        (tmp_path / "long").write_bytes(sound("flac", "flac", seconds=1200, silent=True))
        found = subprocess.run(
            [sys.executable, "-c", script, tmp_path / "long", tmp_path / "out.wav"], capture_output=True, check=True
        )
        assert int(found.stdout) < 50_000  # kB; all of it would be 115 MB

    def test_broken_audio_is_refused(self, clean):
        assert "input_unreadable" == code_of(clean, b"fLaC" + os.urandom(500), "audio")
        assert "input_unreadable" == code_of(clean, tone()[:44], "audio")


class TestTheProcess:
    """What it is given, and what becomes of it."""

    def test_the_process_gets_no_secret(self, sanitizer, monkeypatch):
        monkeypatch.setenv("ATELIER_SECRET_KEY", "hunter2")
        other = Sanitizer()
        environment = Path(f"/proc/{other._process.pid}/environ")
        until(
            lambda: b"workers.ingest.sanitizer_process" in Path(f"/proc/{other._process.pid}/cmdline").read_bytes(),
            what="its start",
        )
        assert b"hunter2" not in environment.read_bytes()
        other.close()

    def test_a_dead_process_is_replaced(self, clean, sanitizer):
        assert clean(png()).file.exists()
        sanitizer._process.kill()
        sanitizer._process.wait()
        assert clean(png()).file.exists()

    def test_answers_are_read_from_descriptors_above_1023(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        ours, theirs = os.pipe()
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
            high = fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 1100)
            os.write(theirs, b"an answer")
            os.close(theirs)
            assert b"an answer" == _read(high, time.monotonic() + 10)
            os.close(high)
        finally:
            os.close(ours)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_the_process_leaves_no_children(self, tmp_path):
        other = Sanitizer()
        (tmp_path / SOURCE).write_bytes(png())
        other.clean("image", tmp_path, seconds=15)
        pid = other._process.pid
        until(lambda: not descendants(pid), what="the child to end")
        other.close()
        assert not alive(pid)
