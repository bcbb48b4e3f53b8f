"""The containers of images: what decoding a JPEG would cost, and PNGs without their texts, before any decoder runs."""

import re
import struct
import zlib

import msgspec

from core.errors.inputs import InputTooLarge, InputUnreadable

MAX_SCANS = 200
SCANS_OF_THE_LARGEST = 12
"""Scans that a JPEG of the most pixels may have: a progressive one of a camera or a website has about ten."""
PIXELS_PER_BYTE = 1024
"""Pixels of which a byte can tell at most: each block of 8x8 takes a bit, and another channel may have more blocks."""
PROFILE_BYTES = 16 * 2**20
"""The largest color profile that a PNG may unpack to; a larger one is left out."""

_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""ITU-T T.81, B.1.1.2: 0xFF and a code; inside of a scan 0xFF00 is data, and 0xFFD0 to 0xFFD7 are restarts."""
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SCAN, _END, _WITHOUT_LENGTH = 0xDA, 0xD9, 0x01
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_HEADER = 8
"""Bytes of the signature of a PNG."""


class JpegOutline(msgspec.Struct, frozen=True):
    """What the markers of a JPEG say: its size in pixels, and how many scans follow each other."""

    width: int
    height: int
    scans: int


def outline_jpeg(content: bytes) -> JpegOutline:
    """Read the markers of a JPEG as a decoder would; what is broken in them the decoder will find."""
    width, height, scans = 0, 0, 0
    found = _NEXT_MARKER.search(content, 2)
    while found is not None:
        marker, place = content[found.end() - 1], found.end()
        if marker == _END:
            break
        length = 0 if marker == _WITHOUT_LENGTH else int.from_bytes(content[place : place + 2])
        if marker in _FRAMES and not scans:
            height, width = struct.unpack(">HH", content[place + 3 : place + 7].ljust(4, b"\0"))
        scans += marker == _SCAN
        found = _NEXT_MARKER.search(content, place + length)
    return JpegOutline(width, height, scans)


def check_jpeg(content: bytes, max_pixels: int) -> None:
    """Refuse a JPEG that costs far more than its pixels, or that has too few bytes for them.

    Each scan of a progressive JPEG passes over every pixel again. Raises `InputTooLarge` and `InputUnreadable`.
    """
    jpeg = outline_jpeg(content)
    pixels = jpeg.width * jpeg.height
    if jpeg.scans > MAX_SCANS or jpeg.scans * pixels > SCANS_OF_THE_LARGEST * max_pixels:
        raise InputTooLarge(
            f"This JPEG has {jpeg.scans} scans of {jpeg.width}x{jpeg.height} pixels, more work than an image may be; "
            "save it again as an ordinary JPEG."
        )
    if pixels > PIXELS_PER_BYTE * len(content):
        raise InputUnreadable(
            f"This JPEG has too few bytes for {jpeg.width}x{jpeg.height} pixels; check that it opens on your side."
        )


def without_texts(content: bytes) -> bytes:
    """Return a PNG without texts, which decide nothing about its pixels, and without a profile that is too large.

    Programs keep prompts and workflows of megabytes in them, beyond what a decoder accepts.
    """
    parts, place = [content[:_HEADER]], _HEADER
    while place + 8 <= len(content):
        size, name = struct.unpack(">I4s", content[place : place + 8])
        end = place + 12 + size
        if name not in _TEXTS and not (name == b"iCCP" and _is_large(content[place + 8 : end - 4])):
            parts.append(content[place:end])
        place = end
    return b"".join([*parts, content[place:]])


def _is_large(profile: bytes) -> bool:
    packed = profile.partition(b"\0")[2][1:]
    try:
        return len(zlib.decompressobj().decompress(packed, PROFILE_BYTES + 1)) > PROFILE_BYTES
    except zlib.error:
        return False
