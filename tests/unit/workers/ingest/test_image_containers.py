"""What the markers of a JPEG and the chunks of a PNG say, before any decoder reads them."""

import io
import struct
import zlib

import pytest
from PIL import Image

from core.errors.inputs import InputTooLarge, InputUnreadable
from tests.support.servers.media_server import encoded, png
from workers.ingest.image_containers import PROFILE_BYTES, JpegOutline, check_jpeg, outline_jpeg, without_texts

SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def segment(marker, body=b""):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def frame(width, height, marker=0xC2):
    return segment(marker, struct.pack(">BHH", 8, height, width) + b"\x01\x01\x11\0")


SCAN = segment(0xDA, b"\x01\x01\0\0\x3f\0") + b"\x12\xff\0\x34\xff\xd0\x56"
"""A scan whose data have a stuffed 0xFF and a restart."""


class TestOutline:
    @pytest.mark.parametrize("size", [(1, 1), (40, 30), (300, 200)])
    def test_ordinary_jpegs(self, size):
        image = Image.effect_noise(size, 50)
        assert JpegOutline(*size, 1) == outline_jpeg(encoded(image, "JPEG"))
        progressive = outline_jpeg(encoded(image.convert("RGB"), "JPEG", progressive=True))
        assert size == (progressive.width, progressive.height)
        assert 10 == progressive.scans

    @pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2, 0xC9, 0xCA])
    def test_every_kind_of_frame_has_a_size(self, marker):
        assert JpegOutline(700, 300, 2) == outline_jpeg(SOI + frame(700, 300, marker) + SCAN * 2 + EOI)

    @pytest.mark.parametrize("marker", [0xC4, 0xC8, 0xCC])
    def test_tables_are_no_frames(self, marker):
        assert JpegOutline(7, 3, 1) == outline_jpeg(SOI + frame(9, 9, marker) + frame(7, 3) + SCAN + EOI)

    def test_a_thumbnail_in_a_segment_is_skipped(self):
        thumbnail = segment(0xE1, b"Exif\0\0" + SOI + frame(9, 9) + SCAN * 5 + EOI)
        assert JpegOutline(7, 3, 1) == outline_jpeg(SOI + thumbnail + frame(7, 3) + SCAN + EOI)

    def test_what_follows_the_end_is_not_read(self):
        assert 1 == outline_jpeg(SOI + frame(7, 3) + SCAN + EOI + SCAN * 9).scans

    @pytest.mark.parametrize("between", [b"\xff\xff\xff", b"\0\x11\x22", b"\xff\x01", b"\xff\xd7"])
    def test_filling_between_segments_hides_no_scan(self, between):
        assert 3 == outline_jpeg(SOI + frame(7, 3) + between.join([SCAN] * 3) + EOI).scans

    @pytest.mark.parametrize("cut", range(0, 40, 3))
    def test_a_truncated_file_is_read_as_far_as_it_goes(self, cut):
        whole = SOI + frame(7, 3) + SCAN * 2 + EOI
        assert outline_jpeg(whole[:cut]).scans <= 2


class TestCost:
    """With 1,000 pixels at most."""

    @pytest.mark.parametrize(
        ("width", "height", "scans"), [(10, 10, 1), (10, 10, 120), (50, 20, 12), (1, 1, 200), (100, 120, 1)]
    )
    def test_a_jpeg_within_the_limits_passes(self, width, height, scans):
        check_jpeg(SOI + frame(width, height) + SCAN * scans + EOI, 1000)

    @pytest.mark.parametrize(("width", "height", "scans"), [(10, 10, 121), (50, 20, 13), (1, 1, 201), (100, 121, 1)])
    def test_a_jpeg_beyond_one_of_them_is_refused(self, width, height, scans):
        with pytest.raises(InputTooLarge, match=f"has {scans} scans of {width}x{height} pixels"):
            check_jpeg(SOI + frame(width, height) + SCAN * scans + EOI, 1000)

    @pytest.mark.parametrize(("more", "refused"), [(0, False), (1, True)])
    def test_a_byte_tells_of_1024_pixels_at_most(self, more, refused):
        data = SOI + frame(1024, 100 + more) + SCAN + EOI
        data += bytes(100 - len(data))
        if refused:
            with pytest.raises(InputUnreadable, match="too few bytes for 1024x101 pixels"):
                check_jpeg(data, 10**6)
        else:
            check_jpeg(data, 10**6)

    @pytest.mark.parametrize("progressive", [False, True])
    def test_a_large_image_of_one_color_passes(self, progressive):
        """The least that an encoder writes: two bits a block, or one."""
        data = encoded(Image.new("L", (2048, 1024)), "JPEG", progressive=progressive, optimize=True)
        check_jpeg(data, 64_000_000)


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


class TestTexts:
    WHOLE = png(1)

    def within(self, *chunks):
        return self.WHOLE[:33] + b"".join(chunks) + self.WHOLE[33:]

    @pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"iTXt"])
    def test_texts_are_left_out(self, name):
        data = self.within(chunk(name, b"a\0\0"), chunk(b"pHYs", bytes(9)), chunk(name, b""))
        assert self.within(chunk(b"pHYs", bytes(9))) == without_texts(data)

    @pytest.mark.parametrize("name", [b"iCCP", b"eXIf", b"tRNS", b"gAMA"])
    def test_other_chunks_stay(self, name):
        data = self.within(chunk(name, b"a\0\0" + zlib.compress(bytes(1000))))
        assert data == without_texts(data)

    @pytest.mark.parametrize(("more", "stays"), [(0, True), (1, False)])
    def test_a_profile_stays_up_to_16_mb(self, more, stays):
        data = self.within(chunk(b"iCCP", b"camera\0\0" + zlib.compress(bytes(PROFILE_BYTES + more), 1)))
        assert without_texts(data) == (data if stays else self.WHOLE)

    def test_a_broken_profile_is_the_decoders(self):
        data = self.within(chunk(b"iCCP", b"camera\0\0nonsense"))
        assert data == without_texts(data)

    @pytest.mark.parametrize("cut", [0, 5, 8, 12, 20, 33, 40, -1])
    def test_a_truncated_file_stays_as_it_is(self, cut):
        assert self.WHOLE[:cut] == without_texts(self.WHOLE[:cut])

    def test_the_result_is_read(self):
        with Image.open(io.BytesIO(without_texts(self.within(chunk(b"tEXt", b"a\0b"))))) as image:
            image.load()
            assert {} == image.info
