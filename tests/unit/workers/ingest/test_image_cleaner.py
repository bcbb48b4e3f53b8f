"""What becomes of each kind of image: clean pixels, or a code."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.errors.inputs import InputTooLarge, InputUnreadable, UnsupportedMedia
from tests.support.media.cleaning import MAX_PIXELS, code_of
from tests.support.media.costly import jpeg_of_few_bytes, jpeg_of_scans
from tests.support.servers.media_server import encoded, png
from workers.ingest.image_cleaner import check_size


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


def near(image, color, tolerance=3):
    return np.abs(np.asarray(image.convert("RGB"), dtype=int) - color).max() <= tolerance


def header(width, height):
    """A PNG that claims this size, and has next to nothing in it."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def tiff(width, height, bits, data):
    """A gray TIFF of one strip, black is zero."""
    numbers = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8 + 2 + 9 * 12 + 4, 277: 1, 278: height}
    entries = [struct.pack("<HHII", tag, 4, 1, number) for tag, number in (numbers | {279: len(data)}).items()]
    return b"II*\0" + struct.pack("<IH", 8, 9) + b"".join(entries) + struct.pack("<I", 0) + data


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

    @pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "AVIF"])
    def test_other_formats_are_turned_by_exif_too(self, pixels, format):
        exif = Image.Exif()
        exif[0x0112] = 6
        assert (16, 24) == pixels(encoded(Image.new("RGB", (24, 16)), format, exif=exif.tobytes())).size

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
    @pytest.mark.parametrize("exif", [False, True])
    def test_an_orientation_in_xmp_is_ignored(self, pixels, format, exif):
        """Programs leave one there after they have turned the pixels; browsers do not look at it."""
        stored = Image.Exif()
        stored[0x0112 if exif else 0x010E] = 1 if exif else "a description"
        image = Image.new("RGB", (24, 16))
        if format == "PNG":
            data = encoded(image, exif=stored.tobytes())
            data = data[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP) + data[33:]
        elif format == "TIFF":
            data = encoded(image, format, tiffinfo={700: XMP, 274: 1} if exif else {700: XMP})
        else:
            data = encoded(image, format, exif=stored.tobytes(), xmp=XMP)
        assert (24, 16) == pixels(data).size

    @pytest.mark.parametrize(
        "chunks",
        [
            {b"zTXt": b"workflow\0\0" + zlib.compress(bytes(1_700_000))},
            {b"iTXt": b"workflow\0\1\0\0\0" + zlib.compress(bytes(1_700_000))},
            {b"tEXt": b"prompt\0" + b"x" * 2_000_000},
            {b"iCCP": b"camera\0\0" + zlib.compress(bytes(1_300_000))},
            {b"iCCP": b"camera\0\0" + zlib.compress(bytes(17_000_000))},
        ],
        ids=lambda chunks: f"{next(iter(chunks)).decode()} {len(next(iter(chunks.values())))}",
    )
    def test_metadata_of_megabytes_decide_nothing(self, pixels, chunks):
        """Workflows of image programs and profiles of cameras: no pixel depends on them."""
        data = png(3)
        ((name, body),) = chunks.items()
        cleaned = pixels(data[:33] + chunk(name, body) + data[33:])
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(cleaned))

    @pytest.mark.parametrize(("value", "expected"), [(0, 255), (65535, 0), (51400, 55)])
    def test_a_16_bit_tiff_whose_zero_is_white(self, pixels, value, expected):
        data = encoded(Image.fromarray(np.full((8, 8), value, dtype=np.uint16)), "TIFF")
        photometric = struct.pack("<HHIHH", 262, 3, 1, 1, 0)
        assert photometric in data
        data = data.replace(photometric, struct.pack("<HHIHH", 262, 3, 1, 0, 0))
        assert near(pixels(data), (expected,) * 3, 1)

    @pytest.mark.parametrize(("value", "expected"), [(0, 0), (2048, 128), (4095, 255)])
    def test_a_12_bit_tiff_is_scaled(self, pixels, value, expected):
        pair = bytes([value >> 4, (value & 15) << 4 | value >> 8, value & 255])
        assert near(pixels(tiff(8, 8, 12, pair * 32)), (expected,) * 3, 1)

    def test_an_image_of_a_phone_has_fewer_than_64_megapixels(self):
        check_size(8064, 6048, MAX_PIXELS)

    def test_the_operator_sets_the_most_pixels(self, clean):
        with pytest.raises(InputTooLarge, match=r"too many pixels; send at most 0\.009999 megapixels"):
            clean(png(1, 100, 100), max_pixels=9999)
        assert clean(png(1, 100, 100), max_pixels=10_000).file.exists()

    @pytest.mark.long
    def test_an_image_of_a_phone_is_cleaned(self, pixels):
        image = Image.open(io.BytesIO(png(1, 504, 378))).resize((8064, 6048), Image.Resampling.NEAREST)
        assert (8064, 6048) == pixels(encoded(image, "JPEG", quality=80)).size

    def test_41_a_copy_repeats_no_more_than_its_source(self, clean):
        """A pattern of noise that repeats itself: run lengths alone would take all of its 3 MB."""
        tile = np.asarray(Image.open(io.BytesIO(png(1, 32, 32))))
        source = encoded(Image.fromarray(np.tile(tile, (32, 32, 1))))
        assert len(source) < 200_000
        assert clean(source).file.stat().st_size < 2 * len(source)

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

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
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

    def test_a_profile_that_only_rounds_changes_no_value(self, pixels):
        """Programs write sRGB with a slightly different curve: here an exponent of 2.42 in place of 2.4."""
        noise = Image.open(io.BytesIO(png(4)))
        close = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        place = close.index(b"para") + 12  # ICC.1, 10.18: the exponent comes first
        assert 157_286 == int.from_bytes(close[place : place + 4])
        close[place : place + 4] = round(2.42 * 2**16).to_bytes(4)
        assert np.array_equal(np.asarray(noise), np.asarray(pixels(encoded(noise, "PNG", icc_profile=bytes(close)))))

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

    @pytest.mark.parametrize(
        "data", [png(1, 64, 64)[:2000], png(1)[:-30], encoded(Image.new("RGB", (64, 64)), "JPEG")[:400]]
    )
    def test_21_a_truncated_image_is_refused(self, clean, data):
        assert "input_unreadable" == code_of(clean, data)

    def test_an_image_of_garbage_is_refused(self, clean):
        for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
            whole = encoded(Image.new("RGB", (64, 64)), format)
            garbage = whole[:20] + os.urandom(300)  # that of a GIF may name a large frame
            assert code_of(clean, garbage) in ("input_unreadable", "input_too_large")

    @pytest.mark.parametrize("size", [(8193, 8), (8, 8193), (8192, 8192), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
    def test_too_many_pixels_are_refused_before_any_is_decoded(self, clean, size):
        assert "input_too_large" == code_of(clean, header(*size))

    def test_21_a_decompression_bomb(self, clean):
        """8192x8192 pixels in a few kB."""
        assert "input_too_large" == code_of(clean, encoded(Image.new("1", (8192, 8192))))

    @pytest.mark.parametrize(
        ("format", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("TIFF", {"compression": "tiff_lzw"})]
    )
    def test_21_a_decompression_bomb_of_another_format(self, clean, format, options):
        assert "input_too_large" == code_of(clean, encoded(Image.new("L", (9000, 4500)), format, **options))

    def test_40_a_jpeg_with_scans_without_end(self, clean):
        """One second of a core refuses it."""
        with pytest.raises(InputTooLarge, match=r"has 200\d\d scans of 2000x1500 pixels"):
            clean(jpeg_of_scans(20_000), seconds=1.0)

    def test_40_a_jpeg_with_too_few_bytes_for_its_size(self, clean):
        with pytest.raises(InputUnreadable, match="too few bytes for 8000x4999 pixels"):
            clean(jpeg_of_few_bytes(), seconds=1.0)

    def test_an_heic_picture_is_named(self, clean):
        with pytest.raises(UnsupportedMedia, match=r"This file is an HEIC picture, .* send an image as PNG"):
            clean(b"\0\0\0\x28ftypheic" + bytes(4) + b"mif1MiHEmiafheic" + bytes(200))

    def test_floating_point_pixels(self, clean):
        assert "unsupported_media" == code_of(clean, encoded(Image.new("F", (8, 8)), "TIFF"))
